# For prompts: prints the time left, such as `59m`, or nothing without a role. It starts no process.
function awsrole_left
    set -q AWSROLE_STATE; and string match -qr '^[0-9]+$' -- "$AWSROLE_EXPIRES"; or return 0
    set -l now (builtin path mtime -R -- $__awsrole_clock); or return 0
    set -l left (builtin math "$AWSROLE_EXPIRES - $now")
    if test $left -le 0
        builtin echo expired
    else if test $left -lt 60
        builtin echo "$left"s
    else if test $left -lt 3600
        builtin echo (builtin math "floor($left / 60)")m
    else
        builtin echo (builtin math "floor($left / 3600)")h(builtin math "floor($left / 60) % 60")m
    end
end
