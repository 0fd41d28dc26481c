"""The ten-minute circle 十分钟医疗卫生服务圈: how long the way to a home takes, who lives inside, where to put a further station."""
