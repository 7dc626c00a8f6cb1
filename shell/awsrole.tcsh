# awsrole for tcsh. It assumes the role of a project when you `cd` into it and restores the environment when you leave.
# One process at each prompt compares what the last decision rests on. If anything changed, everything that awsrole set
# is undone, and a second process decides. `awsrole hook tcsh` fills in the path and the blocked state.
#
# tcsh has no functions, so the programs print one line of statements. These variables are not exported: token: what the
# last answer rests on. prior_NAME: values before awsrole. hook: on | off | hands-off. asking, pending: the comparison or
# the decision is not answered yet. block: statements for a shell without an answer. A command after `if` is evaluated,
# because tcsh expands its variables first, and runs no aliases there.

if ($?prompt) then
set __awsrole_bin=@BIN@
set __awsrole_program=$__awsrole_bin:q
if (-x "$__awsrole_bin-hook") set __awsrole_program="$__awsrole_bin-hook"

# Sourced again, the shell keeps what it needs for leaving.
if (! $?__awsrole_token) then
set __awsrole_token=e30 __awsrole_hook=on __awsrole_typed=() __awsrole_prompted=0
set __awsrole_block=@BLOCK@
foreach __awsrole_name (precmd cwdcmd)
set __awsrole_user="`alias $__awsrole_name`"
if ("$__awsrole_user" == '') set __awsrole_user=:
alias __awsrole_user_$__awsrole_name "$__awsrole_user:q"
end
unset __awsrole_name __awsrole_user
endif

alias __awsrole_say '/bin/sh -c '\''echo "awsrole: no complete answer: this shell is blocked (hint: \`awsrole refresh\` retries)" >&2'\'''
alias __awsrole_lock 'eval "$__awsrole_block:q"; set __awsrole_failed; __awsrole_say'
alias __awsrole_fail 'if (! $?__awsrole_failed) eval __awsrole_lock'
alias __awsrole_request 'eval "`$__awsrole_program:q hook export tcsh --protocol @PROTOCOL@ --token $__awsrole_token:q -- < /dev/null`"; if ($?__awsrole_pending) eval __awsrole_fail'
alias __awsrole_compare 'set __awsrole_asking; eval "`$__awsrole_program:q hook export tcsh --protocol @PROTOCOL@ --token $__awsrole_token:q --compare $__awsrole_typed:q -- < /dev/null`"; if ($?__awsrole_asking) eval __awsrole_fail'

# With `set echo`, tcsh would print the statements and the secrets in them. After Ctrl-C it skips the first `eval`.
alias __awsrole_sync 'set __awsrole_echo=$?echo; unset echo; eval :; if ($?__awsrole_pending) eval __awsrole_fail; if (! $?__awsrole_pending) eval __awsrole_compare; if ($?__awsrole_pending) eval __awsrole_request; if ($__awsrole_echo) set echo'

# The command `awsrole`. `use`, `on` and `off` change only this shell. The program does everything else.
alias __awsrole_choose 'set __awsrole_status=1; eval "`$__awsrole_bin:q hook command tcsh --token $__awsrole_token:q -- $__awsrole_words:q`"'
alias __awsrole_run 'env AWSROLE_HOOK=$__awsrole_hook $__awsrole_bin:q $__awsrole_words:q; set __awsrole_status=$status'
alias __awsrole_check 'if ("$AWSROLE_STATE:q" == blocked) set __awsrole_status=1'
alias awsrole 'set __awsrole_words=(\!*); set __awsrole_first=help __awsrole_do=__awsrole_run; if ($#__awsrole_words) eval '\''set __awsrole_first=$__awsrole_words[1]:q'\''; if ("$__awsrole_first" =~ {use,on,off}) set __awsrole_do=__awsrole_choose; eval $__awsrole_do; set __awsrole_typed=(--typed $__awsrole_first:q); __awsrole_sync; set __awsrole_typed=(); if ($__awsrole_do == __awsrole_choose && $?AWSROLE_STATE) eval __awsrole_check; /bin/sh -c "exit $__awsrole_status"'

# A `cd` in the rc file is decided at the first prompt.
alias precmd 'set __awsrole_prompted=1; __awsrole_sync; __awsrole_user_precmd'
alias cwdcmd 'if ($__awsrole_prompted) eval __awsrole_sync; __awsrole_user_cwdcmd'
endif
