"""Sections of a configuration as the consoles would give them out; all made up."""

WECOM = {
    "corp_id": "ww0000000000000001",
    "agent_id": 1000002,
    "secret": "secret-of-the-app",
    "token": "callbacktoken",
    "encoding_aes_key": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "group_webhook": "http://127.0.0.1:1/cgi-bin/webhook/send?key=k",
}
DINGTALK = {
    "corp_id": "ding0corp",
    "client_id": "dingabc123",
    "client_secret": "secret-of-the-bot",
    "group_webhook": "http://127.0.0.1:1/robot/send?access_token=t",
    "group_webhook_secret": "SEC000lead",
}
