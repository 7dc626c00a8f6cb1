# Support for direnv, which loads and unloads at the prompt and must find the environment that it left. awsrole's values
# are removed before direnv runs and set again after it, with the values that direnv set as the new prior ones. In
# between they are in variables that aren't exported.

function __awsrole_lift
    set -l fish_trace
    __awsrole_find_changes
    set -q __awsrole_changed[1]; and not set -q __awsrole_pending[1]; and __awsrole_hook prompt
    builtin contains -- "$__awsrole_state$__awsrole_pending" role blocked; or return
    set -l names $__awsrole_touched
    for name in $names
        if __awsrole_intact $name
            set -g __awsrole_lifted_$name
            set -qg $name; and set -g __awsrole_lifted_$name $$name
            set -a __awsrole_lifted $name
            __awsrole_restore $name
        end
        set -eg __awsrole_prior_$name __awsrole_ours_$name
    end
    set -g __awsrole_touched
end

function __awsrole_lay
    for name in $__awsrole_lifted
        set -l lifted __awsrole_lifted_$name
        set -l __awsrole_value $$lifted
        if set -q __awsrole_value[1]
            __awsrole_set $name
        else
            __awsrole_hide $name
        end
        set -eg $lifted
    end
    set -g __awsrole_lifted
end

# awsrole's handlers must run after direnv's, whose hook line may come later. fish_postexec is the only event before
# fish_prompt.
function __awsrole_run_integrations
    set -q __awsrole_handlers_follow_direnv; or not builtin functions -q __direnv_export_eval; and return
    set -g __awsrole_handlers_follow_direnv
    __awsrole_register
    function __awsrole_on_end_of_command --on-event fish_postexec
        __awsrole_lift
    end
end
