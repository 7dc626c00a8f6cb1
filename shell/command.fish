# `off`, `use`, `use -` and `use NAME`, with `--yes` or without, as words with a separator between them.
set -g __awsrole_chooses '\A(off|use|use\x1f-|use\x1f((-y|--yes)\x1f)?[^-\x1f][^\x1f]*(\x1f(-y|--yes))?)\z'

# The command `awsrole`. It handles what changes only this shell. The binary does everything else.
function __awsrole_command
    set -l fish_trace # otherwise fish would print commands
    set -l code 0
    set -l typed typed
    if test "$argv" = on
        set -g __awsrole_off
        set -g __awsrole_state new
    else if string match -qr $__awsrole_chooses -- (string join \x1f -- $argv)
        __awsrole_hook prompt # for manual changes in the same line
        __awsrole_look
        if test "$__awsrole_files[1]" != "$__awsrole_use_in"
            set -g __awsrole_use
            set -g __awsrole_previous
        end
        set -l held (string replace -r '^[^=]*=' '' -- $__awsrole_use) -
        test -n "$__awsrole_off"; and set held -off
        set -l chosen (__awsrole_choose $held[1] $argv | string collect)
        test $pipestatus[1] = 0; or return # an unknown role changes nothing
        set -l now (string replace -r '^[^=]*=' '' -- $chosen) -
        test "$now[1]" = "$held[1]"; or set -g __awsrole_previous $held[1]
        set -g __awsrole_use (string match -v -- '-*' $chosen)
        set -g __awsrole_use_in $__awsrole_files[1]
        if test "$chosen" = -off
            __awsrole_undo
            set -g __awsrole_off off
            set -g __awsrole_state new
            set -g __awsrole_pending
            return 0
        end
        set -g __awsrole_off
        set -g __awsrole_state new
        __awsrole_hook typed
        test $__awsrole_state != blocked
        return
    else
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

# Prints the word of a role, `-` for the default role, or `-off`. Without a role before this one, `use -` gives the
# environment back.
function __awsrole_choose # HELD off | HELD use [NAME] [--yes] | HELD use -
    set -l previous $__awsrole_previous
    switch "$argv[2..]"
        case off
            builtin echo -off
        case use
            $__awsrole_bin use
        case 'use -'
            if not set -q previous[1]
                string match -q -- '-*' $argv[1]; and set previous -off; or set previous -
            end
            test "$previous" = -off; and not set -q __awsrole_files[1]; and set previous -
            test "$previous" = -off
            and __awsrole_say 'your environment is back: `awsrole use -` assumes the role again'
            if string match -q -- '-*' $previous
                builtin echo -- $previous
            else
                $__awsrole_bin hook choose $previous
            end
        case '*'
            $__awsrole_bin hook choose $argv[3..]
    end
end
