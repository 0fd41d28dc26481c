"""All rooms that admit writes, low to high. The composition root and the tests open the store with these; a missing room is an error."""

from healthsvc.checkup.room import ROOM as CHECKUP
from healthsvc.circle.room import ROOM as CIRCLE
from healthsvc.consent.room import ROOM as CONSENT
from healthsvc.contract.room import ROOM as CONTRACT
from healthsvc.documents.room import ROOM as DOCUMENTS
from healthsvc.emergency.room import ROOM as EMERGENCY
from healthsvc.forms.room import ROOM as FORMS
from healthsvc.greenchannel.room import ROOM as GREENCHANNEL
from healthsvc.healthfile.room import ROOM as HEALTHFILE
from healthsvc.healthfile.room import WHEREABOUTS
from healthsvc.homebed.room import ROOM as HOMEBED
from healthsvc.infusion.room import ROOM as INFUSION
from healthsvc.mustvisit.room import ROOM as MUSTVISIT
from healthsvc.pocket.room import ROOM as POCKET
from healthsvc.referral.room import ROOM as REFERRAL
from healthsvc.subscription.room import ROOM as SUBSCRIPTION
from healthsvc.visit.room import ROOM as VISIT

ROOMS = (
    WHEREABOUTS,
    DOCUMENTS, HEALTHFILE, CONSENT, FORMS, GREENCHANNEL, CIRCLE, VISIT, CHECKUP, REFERRAL, INFUSION, HOMEBED, CONTRACT, EMERGENCY,
    MUSTVISIT,
    SUBSCRIPTION, POCKET,
)  # fmt: skip
