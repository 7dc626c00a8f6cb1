"""The prompts of awsrole as they are printed on a terminal, and the usual answers."""

ASK = "awsrole: MFA code of alice for "

PASSPHRASE = "correct horse bättery"
OPEN = ("passphrase of the key file: ", PASSPHRASE)
NEW = [("new passphrase for the key file: ", PASSPHRASE), ("repeat the passphrase: ", PASSPHRASE)]
