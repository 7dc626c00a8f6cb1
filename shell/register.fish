# Registers awsrole with fish's events. It precedes the rest of the snippet, because fish reads the text up to a
# function at each call of that function.

# Handlers run in the order in which they were defined.
function __awsrole_register
    # A shell with `-c` has no prompt: its command counts as typed.
    set -l started -c
    test -r /proc/$fish_pid/cmdline; and set started (string split0 </proc/$fish_pid/cmdline)
    string match -qr '^(-\w*c|--command)' -- $started; and set -g __awsrole_running 1
    function __awsrole_on_prompt --on-event fish_prompt
        set -g __awsrole_running ''
        test -n "$__awsrole_asked$__awsrole_pending$__awsrole_lifted"; and __awsrole_catch_up
        or __awsrole_unchanged; or __awsrole_hook changed
    end

    # Runs after `cd`, so that `cd x && terraform plan` has the role. In `(cd x; …)` fish changes the directory of the
    # shell itself, so this applies there, too.
    function __awsrole_on_move --on-variable PWD
        # Nothing is printed while config.fish runs. The first prompt decides.
        if not set -q __awsrole_running[1]
            set -g __awsrole_asked prompt
        else
            __awsrole_hook cd
        end
    end

    # The role may have expired while the prompt waited, and Ctrl-C in a prompt's hooks leaves them incomplete.
    function __awsrole_on_command --on-event fish_preexec
        set -g __awsrole_running 1
        set -q __awsrole_pending[1]; or set -q __awsrole_lifted[1]; or test "$DIRENV_WATCHES" != "$__awsrole_direnv"
        or __awsrole_is_due; and __awsrole_hook prompt
    end
end
