# The command `awsrole`. It handles what changes only this shell. The binary does everything else.
function __awsrole_command
    set -l fish_trace # otherwise fish would print commands
    set -l code 0
    set -l typed typed
    switch (builtin count $argv):$argv[1]
        case 1:off
            __awsrole_hook prompt # for manual changes in the same line
            __awsrole_undo
            set -g __awsrole_off off
            set -g __awsrole_use
            set -g __awsrole_state new
            set -g __awsrole_pending
        case 1:on
            set -g __awsrole_off
            set -g __awsrole_state new
        case 1:use 2:use
            set -l chosen $argv[2]
            if not set -q argv[2]
                set chosen ($__awsrole_bin use | string collect); or return
            else if test -z "$chosen"; or string match -q -- '-?*' $chosen # an option or an empty text, not a name
                $__awsrole_bin $argv
                return
            else if test "$chosen" != - # an unknown role changes nothing
                set chosen ($__awsrole_bin hook choose $chosen | string collect); or return
            end
            __awsrole_hook prompt
            __awsrole_look
            set -g __awsrole_off
            set -g __awsrole_state new
            set -g __awsrole_use (string match -v -- - $chosen)
            set -g __awsrole_use_in $__awsrole_files[1]
            __awsrole_hook typed
            test $__awsrole_state != blocked
            return
        case '*'
            set -l standing on
            test $__awsrole_state = hands-off; and set standing hands-off
            builtin functions -q __awsrole_on_prompt; or set standing replaced
            set -q __awsrole_off[1]; and set standing off
            AWSROLE_HOOK=$standing $__awsrole_bin $argv
            set code $status
            test "$argv[1]" = refresh; and set -g __awsrole_state new
            test "$argv[1]" = logout; and set typed prompt
    end
    __awsrole_hook $typed
    return $code
end

# Are keys or a profile set while awsrole is inactive after a manual change? A secret without its ID is none.
function __awsrole_has_values
    for name in AWS_ACCESS_KEY_ID AWS_PROFILE AWS_DEFAULT_PROFILE
        set -qg $name; or set -qUx $name; and return
    end
    return 1
end
