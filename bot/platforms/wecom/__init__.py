"""WeCom (企业微信): callbacks in, cards and texts out. Facts: docs of the platform, tags ``D:…``."""
