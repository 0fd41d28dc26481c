"""The operator's tools 运行维护: how the lines stand, what needs somebody, and how it is put right. Pages and commands share them."""
