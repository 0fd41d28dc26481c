"""备份与恢复 Backups of one installation, and their way back: made beside a serving process, proved before anybody relies on them."""
