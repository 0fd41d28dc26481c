"""Which way a site has chosen, by its settings."""

from healthsvc.config import Settings
from integrations.notify.notice import Notifier
from integrations.notify.ways import LogNotifier, MailNotifier, WebhookNotifier


def notifier_for(settings: Settings) -> Notifier:
    """A message gateway where one is set, else mail, else only the log."""
    if settings.notify_webhook:
        return WebhookNotifier(settings.notify_webhook, settings.notify_secret.encode())
    if settings.notify_smtp:
        host, _, port = settings.notify_smtp.rpartition(":")
        return MailNotifier(host, int(port), settings.notify_sender, settings.notify_mail_gateway)
    return LogNotifier()
