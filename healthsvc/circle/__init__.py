"""The ten-minute circle 十分钟医疗卫生服务圈: how long the way to a home really takes, who lives inside, where one more station should stand."""
