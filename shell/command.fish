# `off`, `use`, `use -`, `use --none`, `use --profile NAME`, a permission set, and `use NAME`, with `--yes` or without,
# as words with a separator between them.
set -g __awsrole_chooses "\A(off|use|use\x1f-|use\x1f--none|use\x1f--(sso-session|account|role-name)[=\x1f].*|\
use\x1f--profile[=\x1f][^\x1f]*|use\x1f((-y|--yes)\x1f)?[^-\x1f][^\x1f]*(\x1f(-y|--yes))?)\z"

# The command `awsrole`. It handles what changes only this shell. The binary does everything else.
function __awsrole_command
    set -l fish_trace # otherwise fish would print commands
    set -l code 0
    set -l typed typed
    set -g __awsrole_back 'no role applies here: this shell has your own environment' # said if that is so
    if test "$argv" = on
        __awsrole_enter_choice
        return
    else if string match -qr $__awsrole_chooses -- (string join \x1f -- $argv)
        __awsrole_hook prompt # for manual changes in the same line
        __awsrole_look
        if test "$__awsrole_files[1]" != "$__awsrole_use_in"
            set -g __awsrole_use
            set -g __awsrole_previous
        end
        if test "$argv" = 'use --none'
            __awsrole_choose_none
            return
        end
        if __awsrole_is_for_profile $argv
            __awsrole_choose_profile $argv; or return
            __awsrole_enter_choice $argv[2]
            return
        end
        set -l held (string replace -r '^[^=]*=' '' -- $__awsrole_use) -
        test -n "$__awsrole_off"; and set held -off
        set -l chosen (__awsrole_choose $held[1] $argv | string collect)
        set code $pipestatus[1]
        test $code = 0; or return $code # an unknown role changes nothing
        set -q chosen[1]; or set chosen - # from the list
        if string match -q -- '--*' $chosen
            __awsrole_command use $chosen
            return
        end
        set -l now (string replace -r '^[^=]*=' '' -- $chosen) -
        test "$now[1]" = "$held[1]" -o $__awsrole_state = blocked; or set -g __awsrole_previous $held[1]
        set -g __awsrole_use (string match -v -- '-*' $chosen)
        set -g __awsrole_use_in $__awsrole_files[1]
        if test "$chosen" = -off
            __awsrole_undo
            set -g __awsrole_off off
            set -g __awsrole_state new
            set -g __awsrole_pending
            test "$argv" = off
            and __awsrole_say 'off: your environment is back in this shell, until `awsrole on`'
            return 0
        end
        __awsrole_enter_choice
        return
    else
        set -l standing on
        test $__awsrole_state = inactive; and set standing inactive
        builtin functions -q __awsrole_on_prompt; or set standing replaced
        set -q __awsrole_off[1]; and set standing off
        AWSROLE_HOOK=$standing $__awsrole_bin $argv
        set code $status
        contains -- "$argv" refresh 'refresh --all'; and set -g __awsrole_state new
        test "$argv[1]" = logout; and set typed prompt
    end
    __awsrole_hook $typed
    contains -- "$argv $code $__awsrole_state" 'refresh 0 blocked' 'refresh --all 0 blocked'; and return 1
    return $code
end

# Are keys or a profile set while awsrole is inactive after a manual change? A secret without its ID is none.
function __awsrole_has_values
    for name in AWS_ACCESS_KEY_ID AWS_PROFILE AWS_DEFAULT_PROFILE
        set -qg $name; or set -qUx $name; and return
    end
    return 1
end

# Prints the word of a role, `-` for the default role, `-off`, or `--profile=NAME` if that was picked from the list.
# Without a role before this one, `use -` gives the environment back, or ends `awsrole off`.
function __awsrole_choose # HELD off | HELD use [NAME] [--yes] | HELD use -
    set -l previous $__awsrole_previous
    switch "$argv[2..]"
        case off
            builtin echo -off
        case use
            $__awsrole_bin use
        case 'use -'
            if not set -q previous[1]
                test "$argv[1]" = -; and set previous -off; or set previous -
            end
            test "$argv[1] $previous" = '-off -off'; and set previous -
            test "$previous" = -off
            and begin
                not set -q __awsrole_files[1]; or test $__awsrole_state = outer
            end
            and set previous -
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

# Returns whether a command is about the chosen profile: `use --profile`, a permission set, or `use -` where no project
# applies.
function __awsrole_is_for_profile # off | use [WORD …]
    string match -qr '^use --(profile|sso-session|account|role-name)' -- "$argv[1..2]"; and return
    test "$argv" = 'use -'; or return
    set -q __awsrole_profile[1]; or set -q __awsrole_profile_before[1]; or return
    not set -q __awsrole_files[1]; or test "$($__awsrole_bin hook choose -)" = profile
end

# Sets the chosen profile, or exchanges it with the one before it. After `awsrole off` it is used again.
function __awsrole_choose_profile # use --profile NAME | use --profile=NAME | use -
    set -l before $__awsrole_profile
    if test "$argv" != 'use -'
        set -l chosen ($__awsrole_bin hook choose $argv[2..] | string collect)
        set -l code $pipestatus[1]
        test $code = 0; or return $code # no such profile: nothing changes
        set -g __awsrole_profile $chosen
    else if not set -q __awsrole_off[1]
        set -g __awsrole_profile $__awsrole_profile_before
    end
    set -l name (string replace -r '^[^=]*=' '' -- $before)
    test "$(string replace -r '^[^=]*=' '' -- $__awsrole_profile)" = "$name"; and return
    if test $__awsrole_state = blocked -a -z "$__awsrole_file" # the profile failed, and isn't used again
        set -q __awsrole_profile[1]; or set -g __awsrole_back 'your environment is back'
        return 0
    end
    set -g __awsrole_profile_before $before
    if not set -q __awsrole_profile[1]
        set -g __awsrole_back "your environment is back: `awsrole use -` uses profile $name again"
    end
end

# Ends the chosen role and the chosen profile. `use -` returns to them, unless they failed.
function __awsrole_choose_none # use --none
    if test $__awsrole_state != blocked
        set -q __awsrole_use[1]; and set -g __awsrole_previous (string replace -r '^[^=]*=' '' -- $__awsrole_use)
        set -q __awsrole_profile[1]; and set -g __awsrole_profile_before $__awsrole_profile
    end
    test -z "$__awsrole_use$__awsrole_profile"; or set -g __awsrole_back 'your environment is back in this shell'
    set -g __awsrole_use
    set -g __awsrole_profile
    __awsrole_enter_choice --none
end

# Requests the chosen role. Fails if the shell is blocked then. It is said if an option ends `awsrole off`.
function __awsrole_enter_choice # [OPTION]
    string match -q -- 'off --*' "$__awsrole_off $argv"
    and __awsrole_say 'on: awsrole is active again in this shell'
    set -g __awsrole_off
    set -g __awsrole_state new
    __awsrole_hook typed
    test $__awsrole_state != outer; or __awsrole_say $__awsrole_back
    test $__awsrole_state != blocked
end
