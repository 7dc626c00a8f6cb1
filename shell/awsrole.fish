# awsrole for fish 3.5 or later. `cd` into a project assumes its AWS role, `cd` out restores the environment. Unchanged
# prompts and leaving run builtins only. Secrets are only in exported variables, and never part of a command's text or
# arguments, which traces show. Universal variables belong to all shells, so none is set or erased.

# --- names -----------------------------------------------------------------------------------------------------------
# Filled in by `awsrole hook fish`. Clients use all keys together, and both profile variables, so a change to one is a
# change to all. In the last three lines are the names that a blocked shell hides, the assignments that it makes, and
# the names whose prior values it exports.
set -g __awsrole_bin @BIN@
set -g __awsrole_generations @GENERATIONS@
set -g __awsrole_keys @KEYS@
set -g __awsrole_profiles @PROFILES@
set -g __awsrole_hidden_if_blocked @HIDDEN_IF_BLOCKED@
set -g __awsrole_set_if_blocked @SET_IF_BLOCKED@
set -g __awsrole_prior_if_blocked @PRIOR_IF_BLOCKED@

# If the snippet is sourced again, the shell keeps the variables that it needs for leaving. (The variables that are
# empty at first are explained in awsrole.bash. `touched` lists the names with records in __awsrole_prior_NAME and
# __awsrole_ours_NAME.)
if not set -q __awsrole_state
    set -g __awsrole_state new # new | outer | role | blocked | inactive
    set -g __awsrole_depth 1 # number of files that count
    set -g __awsrole_deadline 0 # time of the next decision (0: none), and the time when that was set
    set -g __awsrole_since 0
    for name in pending asked running off use use_in previous profile profile_before at files absent file direnv \
        in_force seen digest generation gone own failed lifted touched
        set -g __awsrole_$name
    end
end

function __awsrole_say
    builtin echo "awsrole: $argv" >&2
end

# --- find ------------------------------------------------------------------------------------------------------------
# Finds the files that count, nearest first, and the paths on the way without a file. A file of any type counts.
function __awsrole_look
    set -g __awsrole_at $PWD
    set -g __awsrole_files
    set -g __awsrole_absent '' # without an argument, `path` would read stdin
    # With the slash at the end, `string collect` keeps a newline at the end of a name.
    set -l dir (string replace -r '/*\z' / -- $PWD | string collect)
    while test -n "$dir"
        if test -e $dir.awsrole.toml -o -L $dir.awsrole.toml
            set -a __awsrole_files $dir.awsrole.toml
            set -q __awsrole_files[$__awsrole_depth]; and break
        else
            set -a __awsrole_absent $dir.awsrole.toml
        end
        set dir (string replace -r '[^/]*/\z' '' -- $dir | string collect)
    end
end

# Notes the generation: the file that `awsrole allow`, `deny`, `refresh`, `logout` and others rename.
function __awsrole_note_generation
    set -l found $__awsrole_generations/*
    set -g __awsrole_generation $found[1]
end

# --- unchanged -------------------------------------------------------------------------------------------------------
# Appends the content of each file to __awsrole_views, and sets __awsrole_print to everything that the decision depends
# on. Of secrets it contains only whether they are set. Modification times would not distinguish two edits within a
# clock tick. Another user may replace a file by a FIFO, so a file is opened only if the binary called it `own`. (`read`
# stops at a NUL as at the end of the file. A second `read` tests whether there is more.)
set -l fish_read_limit 16384 # inherited, because setting it at each prompt takes longer
function __awsrole_fingerprint --inherit-variable fish_read_limit # [FILE …]
    for place in $argv
        if not builtin path is -fr -- $place
            builtin path is -- $place; or test -L $place; and set -a __awsrole_views "no-text=$place"
            or set -a __awsrole_views "gone=$place"
        else if not builtin contains -- $place $__awsrole_own
            set -a __awsrole_views "unread=$place"
        else
            begin
                read -z -l content
                read -z -l rest
                set -a __awsrole_views "$status=$place=$content"
            end <$place
        end
    end
    switch $__awsrole_state
        case role blocked
            set -q AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
            set -g __awsrole_print "$status $AWS_ACCESS_KEY_ID $AWS_CREDENTIAL_EXPIRATION $AWS_PROFILE \
$AWS_DEFAULT_PROFILE $__awsrole_state $DIRENV_WATCHES $__awsrole_views"
        case inactive
            set -g __awsrole_print "$__awsrole_files[1]"
            __awsrole_has_values; or set -g __awsrole_print "$__awsrole_files[1]$__awsrole_gone"
        case '*'
            set -g __awsrole_print "$__awsrole_state $DIRENV_WATCHES $__awsrole_views"
    end
end
set -el fish_read_limit

# Returns whether the last decision is still valid. If not, __awsrole_event is the reason for a new one. Each path
# without a file is tested once, so a broken symlink is found at the next `cd`.
function __awsrole_unchanged
    builtin path is -- $__awsrole_absent; and __awsrole_look
    set -g __awsrole_views
    __awsrole_fingerprint $__awsrole_files
    read -d ' ' -l up rest <$__awsrole_uptime
    # A digest makes the texts differ. Another operator of `test` would take as long as comparing them. (PWD contains no
    # `//`, so it ends there.)
    test "$PWD//$__awsrole_print" = "$__awsrole_at//$__awsrole_seen$__awsrole_digest" -a -e "$__awsrole_generation" \
        -a "0$up" -lt $__awsrole_due
    or __awsrole_still_valid
end

# The rest of the comparison: another directory with the same files, a new generation, a deadline, and files that are
# compared by digest.
function __awsrole_still_valid
    set -g __awsrole_event prompt
    if test "$PWD" != "$__awsrole_at"
        __awsrole_look
        set -g __awsrole_views
        __awsrole_fingerprint $__awsrole_files
    end
    test "$__awsrole_print" = "$__awsrole_seen"; or return
    if set -q __awsrole_generation[1]
        test -e $__awsrole_generation; or return
    else
        __awsrole_note_generation
        set -q __awsrole_generation[1]; and return 1
    end
    if set -q __awsrole_digest[1]
        test "$(__awsrole_ask hook digest -- $__awsrole_files 2>/dev/null)" = "$__awsrole_digest"; or return
    end
    __awsrole_is_due; or return 0
    set -g __awsrole_event due
    test $__awsrole_state = blocked; and set -g __awsrole_event retry
    return 1
end

# --- save and restore ------------------------------------------------------------------------------------------------
function __awsrole_save -a name
    builtin contains -- $name $__awsrole_touched; and return
    set -g __awsrole_prior_$name unset
    set -qg $name; and set -g __awsrole_prior_$name plain $$name
    set -qgx $name; and set -g __awsrole_prior_$name exported $$name
    set -a __awsrole_touched $name
end

# The value is the caller's __awsrole_value, or the second argument if it isn't secret. __awsrole_ours_NAME is set
# first, so that after Ctrl-C there may be a record without a value, but no value without a record. No copy of a secret
# is kept.
function __awsrole_set --no-scope-shadowing -a name value
    set -q argv[2]; or set value $__awsrole_value
    __awsrole_save $name
    builtin contains $name AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN; and set -g __awsrole_ours_$name secret
    or set -g __awsrole_ours_$name set $value
    set -gx $name $value
end

# An exported universal variable cannot be hidden from children of one shell only, not even by a global one.
function __awsrole_hide -a name
    set -qUx $name; and set -a __awsrole_failed $name; and return
    __awsrole_save $name
    set -g __awsrole_ours_$name hidden
    set -eg $name
end

# Returns whether the name still has the value that awsrole set.
function __awsrole_intact -a name
    set -l ours __awsrole_ours_$name
    builtin contains -- "$$ours[1][1]" hidden ''; and not set -qg $name; and not set -qUx $name; and return
    test "$$ours[1][1]" = secret; and set -qg $name; and return
    test "$$ours[1][1]" = set; and set -qg $name; and test "$$name" = "$$ours[1][2]"
end

function __awsrole_restore -a name
    set -l prior __awsrole_prior_$name
    test $$prior[1][1] = exported; and set -gx $name $$prior[1][2..-1]
    test $$prior[1][1] = plain; and set -gu $name $$prior[1][2..-1]
    test $$prior[1][1] = unset; and set -eg $name
end

# Lists the credential variables whose values aren't awsrole's, as options. The binary decides which are kept.
function __awsrole_find_changes
    set -g __awsrole_changes
    set -g __awsrole_changed
    set -g __awsrole_keys_changed
    for name in $__awsrole_keys $__awsrole_profiles
        set -q __awsrole_ours_$name; and not __awsrole_intact $name; or continue
        set -a __awsrole_changes --changed $name
        set -g __awsrole_changed $name
        builtin contains -- $name $__awsrole_keys; and set -g __awsrole_keys_changed keys
    end
end

# Leaves: replaces awsrole's values by the prior ones. Keys are restored all together or not at all. (If an answer is
# pending, only some of them may be set.) After a manual change the prior value stays due, for when the user's is unset.
function __awsrole_undo # [EVENT]
    __awsrole_find_changes
    set -l left
    set -q __awsrole_keys_changed[1]; and not set -q __awsrole_pending[1]; and set left $__awsrole_keys
    set -l due
    for name in $__awsrole_touched
        if __awsrole_intact $name
            builtin contains -- $name $left; or __awsrole_restore $name
        else if test "$argv" = changed; and not builtin contains -- $name $__awsrole_keys
            set -a due $name
        end
        builtin contains -- $name $due; or set -eg __awsrole_prior_$name
        set -eg __awsrole_ours_$name
    end
    set -g __awsrole_touched $due
    set -q __awsrole_lifted[1]; and set -eg __awsrole_lifted_$__awsrole_lifted
    set -g __awsrole_lifted
end

# Blocks the shell. If the variables were only unset, clients would fall back to [default] or to the instance's role.
function __awsrole_block
    for name in $__awsrole_prior_if_blocked
        # (If a parent's `blocked` state was never adopted, the values that the parent exported are kept.)
        test "$AWSROLE_STATE" != blocked; and set -qx $name; and __awsrole_set AWSROLE_PRIOR_$name "$$name"
    end
    for name in $__awsrole_hidden_if_blocked
        __awsrole_hide $name
    end
    set -q __awsrole_use[1]; and __awsrole_set AWSROLE_CHOSEN "$__awsrole_use_in=$__awsrole_use"
    set -q __awsrole_profile[1]; and __awsrole_set AWSROLE_CHOSEN_PROFILE $__awsrole_profile
    for pair in $__awsrole_set_if_blocked
        __awsrole_set (string split -m 1 = -- $pair)
    end
    set -g __awsrole_state blocked
    set -g __awsrole_pending
    __awsrole_set_deadline 'now + 30'
end

# --- ask -------------------------------------------------------------------------------------------------------------
function __awsrole_ask
    set -l program $__awsrole_bin
    test -f $__awsrole_bin-hook -a -x $__awsrole_bin-hook; and set program $__awsrole_bin-hook
    $program $argv </dev/null
end

# Requests a new decision. The binary gets the outer environment, so that awsrole cannot become its own source. Inputs
# and `pending` are recorded first, so that the next prompt notices if Ctrl-C interrupted this.
function __awsrole_sync
    set -l words --event $__awsrole_event --protocol @PROTOCOL@ --views
    # Prompting is allowed only for a typed command: not for an rc file, a key binding or a completion. A file manager
    # would hide the prompt.
    test $__awsrole_event = cd -a -n "$__awsrole_running" -a -z "$MC_SID$RANGER_LEVEL$NNNLVL"
    and not status is-command-substitution
    and set -a words --ask
    test "$__awsrole_files[1]" = "$__awsrole_use_in"; or begin
        set -g __awsrole_use
        set -g __awsrole_use_in
    end
    set -q __awsrole_use[1]; and set -a words --role $__awsrole_use
    set -q __awsrole_profile[1]; and set -a words --profile $__awsrole_profile
    test "$__awsrole_files[1]" = "$__awsrole_file"; or set -g __awsrole_own

    __awsrole_note_generation
    set -g __awsrole_state new # until all changes are undone
    __awsrole_undo $__awsrole_event
    set -g __awsrole_depth 1000
    set -g __awsrole_views
    __awsrole_look
    __awsrole_fingerprint $__awsrole_files
    set -g __awsrole_file $__awsrole_files[1]
    set -g __awsrole_direnv $DIRENV_WATCHES
    set -g __awsrole_in_force $__awsrole_views
    set -g __awsrole_state outer
    __awsrole_set_deadline 0
    for name in failed digest whose texts
        set -g __awsrole_$name
    end
    set -q __awsrole_file[1]; or set -q __awsrole_profile[1]; or set -q __awsrole_keys_changed[1]
    or set -q AWSROLE_STATE; or return 0

    set -g __awsrole_pending answer $__awsrole_keys_changed
    set -l problem 'no complete answer'
    if test -f $__awsrole_bin -a -x $__awsrole_bin
        set -a words $__awsrole_changes --
        set -l answer (__awsrole_ask hook export fish $words $__awsrole_files | string collect)
        __awsrole_apply
    else
        set problem "$__awsrole_bin is gone"
    end
    set -q __awsrole_failed[1]; and set problem "$__awsrole_failed: an exported universal variable can't be hidden in \
one shell (`set -eU` it, and `set -gx` it in config.fish)"
    set -q __awsrole_pending[1]; and __awsrole_fail $problem
end

# Undoes an answer that is missing or incomplete. Those of the changed keys that are awsrole's must not become prior
# values.
function __awsrole_fail -a problem
    builtin contains keys $__awsrole_pending; and set -eg $__awsrole_keys
    __awsrole_undo
    __awsrole_block
    # It is unknown who can replace the files.
    set -q __awsrole_digest[1]; or not string match -q 'unread=*' -- $__awsrole_in_force
    or set -g __awsrole_digest "$(__awsrole_ask hook digest -- $__awsrole_files 2>/dev/null)"
    test $__awsrole_event = retry
    or __awsrole_say "$problem: this shell is blocked (hint: `awsrole refresh` retries)"
end

function __awsrole_done -a state deadline depth
    set -g __awsrole_depth $depth
    set -g __awsrole_at
    set -g __awsrole_views
    set -g __awsrole_own
    for place in $__awsrole_files[1..$depth]
        set -l number (builtin contains -i -- $place $__awsrole_files)
        test "$__awsrole_whose[$number]" = own; and set -a __awsrole_own $place
        test -n "$__awsrole_texts[$number]"; and set -a __awsrole_views "1=$place$__awsrole_texts[$number]"
        or __awsrole_fingerprint $place
    end
    set -g __awsrole_in_force $__awsrole_views
    set -q __awsrole_failed[1]; and return
    set -g __awsrole_state $state
    set -g __awsrole_pending
    test $state = blocked; and __awsrole_block
    test $state = blocked -a $deadline -eq 0; or __awsrole_set_deadline $deadline
end

# --- hooks -----------------------------------------------------------------------------------------------------------
function __awsrole_hook # prompt | changed | cd | typed
    set -l fish_trace # also for all functions that are called
    set -q __awsrole_off[1]; and return 0
    # A local variable of a function, or one for this call alone: the next prompt decides.
    set -l names $__awsrole_keys $__awsrole_profiles AWS_REGION AWS_DEFAULT_REGION
    set -ql $names; or test $status -lt (count $names); and set -g __awsrole_asked $argv[1]; and return 0
    set -g __awsrole_asked
    set -q __awsrole_lifted[1]; and __awsrole_lay
    builtin contains -- $argv cd typed; and __awsrole_look
    if set -q __awsrole_pending[1]
        set -g __awsrole_event prompt
        __awsrole_fail interrupted
    else if test $argv[1] != changed; and __awsrole_unchanged
        return 0
    else
        __awsrole_find_changes
        if test $argv[1] = typed
            set -g __awsrole_event cd
        else if test $__awsrole_state = new -o "$__awsrole_files[1]" != "$__awsrole_file"
            test $argv[1] = cd; and set -g __awsrole_event cd # `cd` inside a project isn't an entry
        else if set -q __awsrole_changed[1]; and test "$DIRENV_WATCHES" = "$__awsrole_direnv"
            set -g __awsrole_event changed
            __awsrole_say "$__awsrole_changed was changed manually: inactive until you unset it or `awsrole refresh`"
        else if test $__awsrole_state = inactive
            __awsrole_say 'active again: what was set manually is gone'
        end
        __awsrole_sync
    end
    if string match -qr '^(inactive|outer:$)' -- "$__awsrole_state:$__awsrole_file" # no command affects it
        set -g __awsrole_generation /
        set -g __awsrole_digest
    end
    set -g __awsrole_gone
    __awsrole_has_values; and set -g __awsrole_gone /gone
    set -g __awsrole_views $__awsrole_in_force
    __awsrole_fingerprint
    set -g __awsrole_seen $__awsrole_print
    test -n "$__awsrole_at"; or __awsrole_look
    __awsrole_run_integrations
end

# Runs a pending decision. Fails if none was pending.
function __awsrole_catch_up
    set -q __awsrole_asked[1]; and __awsrole_hook $__awsrole_asked
    set -q __awsrole_pending[1]; or set -q __awsrole_lifted[1]; and __awsrole_hook prompt
end

function __awsrole_run_integrations # see direnv.fish
end

# A script that sources this gets nothing: no hook, no command, no change.
if status is-interactive
    function awsrole --description "Hold the AWS role of the current directory"
        # If another shell gets a copy of this function, the others are missing there.
        if set -q __awsrole_state
            __awsrole_command $argv
        else
            command awsrole $argv
        end
    end
    __awsrole_register
end
