# The time, which no builtin of fish tells.

# A file from 1970: its age is the time. The time since the system was started takes a fraction of that to read.
set -g __awsrole_clock @CLOCK@
set -g __awsrole_uptime /proc/uptime
test -r $__awsrole_uptime; or set -g __awsrole_uptime /dev/null

function __awsrole_is_due
    test $__awsrole_deadline -ne 0; or return
    # A pipe costs less than a substitution; neither starts a process.
    builtin path mtime -R -- $__awsrole_clock | read -l now; or set now 99999999999
    test $now -ge $__awsrole_deadline; or test $now -lt $__awsrole_since; and set -g __awsrole_due 0
end

# The deadline in seconds since the system was started, as well; without a clock it is over.
function __awsrole_set_deadline -a deadline # a time, 0, or `now + SECONDS`
    set -g __awsrole_since (builtin path mtime -R -- $__awsrole_clock; or builtin echo 0)
    set -g __awsrole_deadline (builtin math (string replace now $__awsrole_since -- $deadline))
    set -g __awsrole_due 99999999999
    test $__awsrole_since -ne 0; or set -g __awsrole_due 0
    test $__awsrole_due -ne 0 -a $__awsrole_deadline -ne 0; and read -d ' ' -l up rest <$__awsrole_uptime
    and set -g __awsrole_due (builtin math "$up + $__awsrole_deadline - $__awsrole_since")
end
