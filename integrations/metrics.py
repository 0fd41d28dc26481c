"""What the hospital line tells an operator's monitoring: counts, depths and ages per link, never anything of a person."""

from prometheus_client import Counter, Gauge

RECEIVED = Counter("healthsvc_hl7_received_total", "Messages answered, by link and answer code", ["link", "code"])
DUPLICATES = Counter("healthsvc_hl7_duplicates_total", "Messages that had arrived before and got their old answer", ["link"])
REUSED = Counter("healthsvc_hl7_reused_ids_total", "Control ids used again for other content", ["link"])
FAULTS = Counter("healthsvc_hl7_line_faults_total", "Faults on the line, by kind", ["kind"])
PROCESSED = Counter("healthsvc_hl7_processed_total", "Messages processed, by link and outcome", ["link", "state"])
CONNECTIONS = Gauge("healthsvc_hl7_connections", "Open hospital lines")
REFUSED = Counter("healthsvc_hl7_connections_refused_total", "Connections turned away: address, name or limit")
LAST_MESSAGE = Gauge("healthsvc_hl7_last_message_seconds", "When a link last sent a message (Unix time)", ["link"])
QUEUED = Gauge("healthsvc_hl7_queued", "Messages that wait for processing")
NOTIFIED = Counter("healthsvc_notifications_total", "Notifications to subscribers, by kind and outcome", ["kind", "outcome"])
DELIVERED = Counter("healthsvc_hl7_delivered_total", "Outbound messages by destination and outcome", ["destination", "outcome"])
RETIRED = Counter("healthsvc_messages_retired_total", "What has left inbox and outbox, its time being over: texts, rows, sent", ["what"])
