"""What the test of the logs uses, and looks for."""

CRASHES = "+12125550177"
BARE = "12125550178"
TEXT = "Zanzibar sails at dawn"
KEY = "KEY0123456789ABCDEF_careless"
TOKEN = "vk_live_0123456789_careless"
PASSWORD = "opensesame"
SECRET = "the secret of this log"
