"""What awsrole prompts for on a terminal, as it is printed, and the usual answers."""

ASK = "awsrole: MFA code of alice for "

PASSPHRASE = "correct horse bättery"
OPEN = ("passphrase of the key file: ", PASSPHRASE)
NEW = [("new passphrase for the key file: ", PASSPHRASE), ("repeat the passphrase: ", PASSPHRASE)]
