"""消息网关 Notifiers: one interface, several ways to reach a person. A notice never names what the person suffers from."""

from integrations.notify.choose import notifier_for
from integrations.notify.notice import Notice, Notifier, NotReached
from integrations.notify.ways import LogNotifier, MailNotifier, WebhookNotifier

__all__ = ["LogNotifier", "MailNotifier", "NotReached", "Notice", "Notifier", "WebhookNotifier", "notifier_for"]
