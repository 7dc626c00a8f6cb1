# The time, for which fish has no builtin.

# The age of a file dated 1970 is the current time. Reading the uptime takes a fraction of that.
set -g __awsrole_clock @CLOCK@
set -g __awsrole_uptime /proc/uptime
test -r $__awsrole_uptime; or set -g __awsrole_uptime /dev/null
set -q __awsrole_due; or set -g __awsrole_due 0

function __awsrole_is_due
    test $__awsrole_deadline -ne 0; or return
    # A pipe costs less than a command substitution. Neither starts a process.
    builtin path mtime -R -- $__awsrole_clock | read -l now; or set now 99999999999
    test $now -ge $__awsrole_deadline; or test $now -lt $__awsrole_since; and set -g __awsrole_due 0
end

# Sets the deadline as a time and as an uptime. Without a clock it has passed. Without an uptime the clock is read.
function __awsrole_set_deadline -a deadline # a time, 0, or `now + SECONDS`
    set -g __awsrole_since (builtin path mtime -R -- $__awsrole_clock; or builtin echo 0)
    set -g __awsrole_deadline (builtin math (string replace now $__awsrole_since -- $deadline))
    set -g __awsrole_due 0
    test $__awsrole_since -ne 0 -a $__awsrole_deadline -eq 0; and set -g __awsrole_due 99999999999; and return
    test $__awsrole_since -ne 0; and read -d ' ' -l up rest <$__awsrole_uptime
    and set -g __awsrole_due (builtin math "$up + $__awsrole_deadline - $__awsrole_since")
end
