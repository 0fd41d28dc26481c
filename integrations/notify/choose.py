"""Which way a site has chosen, by its settings."""

from healthsvc.config import Settings
from healthsvc.errors import Invalid
from integrations.notify.notice import Notifier
from integrations.notify.ways import LogNotifier, MailNotifier, WebhookNotifier


def notifier_for(settings: Settings) -> Notifier:
    """A message gateway where one is set, else mail, else only the log.

    Raises:
        Invalid: a setting is wrong; the text says which and how to mend it.
    """
    if settings.notify_webhook:
        if not settings.notify_webhook.startswith(("https://", "http://")):
            raise Invalid("the setting notify_webhook is an http or https address", path="notify_webhook")
        return WebhookNotifier(settings.notify_webhook, settings.notify_secret.encode())
    if settings.notify_smtp:
        host, _, port = settings.notify_smtp.rpartition(":")
        if not host or not port.isdigit() or "@" not in settings.notify_sender:
            raise Invalid("the settings notify_smtp (HOST:PORT) and notify_sender (a mail address) belong together", path="notify_smtp")
        return MailNotifier(host, int(port), settings.notify_sender, settings.notify_mail_gateway)
    return LogNotifier()
