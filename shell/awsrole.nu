# awsrole for nushell. It assumes the role of a project when you `cd` into it and restores the environment when you
# leave. One process at each prompt compares what the last decision rests on. If anything changed, everything that
# awsrole set is undone, and a second process decides. `awsrole hook nu` fills in the path and the blocked state.

# In $env.__awsrole, which isn't exported, because it is a record: token: what the last answer rests on. prior: values
# before awsrole, null for unset. hook: on | off | inactive. pending: not answered yet. block: set without an answer.
if $env.__awsrole? == null {
    $env.__awsrole = {
        token: "", prior: {}
        hook: "on"
        pending: false
        block: (@BLOCK@ | from json)
    }
}

const __awsrole_bin = @BIN@

def --env __awsrole_write [name: string, value: any] {
    if $value == null { hide-env --ignore-errors $name } else { load-env {$name: $value} }
}

def --env __awsrole_apply [answer: record] {
    let unset = ($answer.unset | each {|name| {name: $name, value: null} })
    for pair in ($unset ++ ($answer.set | transpose name value)) {
        if $pair.name not-in ($env.__awsrole.prior | columns) {
            $env.__awsrole.prior = ($env.__awsrole.prior | insert $pair.name ($env | get --optional $pair.name))
        }
        __awsrole_write $pair.name $pair.value
    }
}

def --env __awsrole_undo [names: list<string>] {
    for name in $names { __awsrole_write $name ($env.__awsrole.prior | get --optional $name) }
    $env.__awsrole.prior = {}
}

# Returns null without an answer. Errors are printed by the program.
def __awsrole_ask [words: list<string>] {
    let hook = $"($__awsrole_bin)-hook"
    let program = if $words.0 == "export" and ($hook | path exists) { $hook } else { $__awsrole_bin }
    try { ^$program hook ...$words | from json } catch { null }
}

def --env __awsrole_take [answer: record] {
    $env.__awsrole = ($env.__awsrole | merge {token: $answer.token, hook: $answer.hook})
}

# Without an answer the shell is blocked, whatever went wrong.
def --env __awsrole_fail [] {
    let held = ($env.__awsrole.prior | columns)
    if $env.__awsrole.pending or ($held | is-not-empty) or ($__awsrole_bin | path exists) {
        if $env.AWSROLE_STATE? != "blocked" {
            print -e "awsrole: no complete answer: this shell is blocked (hint: `awsrole refresh` retries)"
        }
        __awsrole_undo $held
        __awsrole_apply $env.__awsrole.block
        $env.__awsrole.token = $env.__awsrole.block.token
    }
    $env.__awsrole.pending = false
}

def --env __awsrole_sync [typed: list<string> = []] {
    if $env.__awsrole.pending { return (__awsrole_fail) }
    let request = [export json --protocol "@PROTOCOL@" --token]
    let changed = (__awsrole_ask [...$request $env.__awsrole.token --compare ...$typed --])
    if $changed == null { return (__awsrole_fail) }
    __awsrole_take $changed
    if not $changed.changed { return }
    $env.__awsrole = ($env.__awsrole | merge {pending: true, block: $changed.block})
    __awsrole_undo $changed.undo
    for name in ($changed.restore | columns) { __awsrole_write $name null }
    # Nushell takes the terminal back after the first process ended, in another thread. The second one may need it.
    sleep 50ms
    let answer = (__awsrole_ask [...$request $env.__awsrole.token --])
    if $answer == null { return (__awsrole_fail) }
    for pair in ($answer.restore | transpose name value) { __awsrole_write $pair.name $pair.value }
    __awsrole_apply $answer
    $env.__awsrole = ($env.__awsrole | merge {pending: false, block: $answer.block, token: $answer.token, hook: $answer.hook})
}

def --env __awsrole_choose [words: list] {
    let answer = (__awsrole_ask [command json --token $env.__awsrole.token -- ...$words])
    if $answer == null { error make --unspanned {msg: "awsrole: nothing was changed"} }
    __awsrole_take $answer
    __awsrole_sync [--typed $words.0]
    if $words.0 == "use" and $env.AWSROLE_STATE? == "blocked" { error make --unspanned {msg: "awsrole: this shell is blocked"} }
}

def --env __awsrole_run [words: list] {
    # (LAST_EXIT_CODE would be that of the command before, because `with-env` restores it.)
    let status = try { with-env {AWSROLE_HOOK: $env.__awsrole.hook} { ^$__awsrole_bin ...$words }; 0 } catch {|e| $e.exit_code? | default 1 }
    __awsrole_sync [--typed $words.0]
    if $status != 0 { error make --unspanned {msg: $"awsrole: exit code ($status)"} }
    if $words in [[refresh] [refresh --all]] and $env.AWSROLE_STATE? == "blocked" { error make --unspanned {msg: "awsrole: this shell is blocked"} }
}

# `use`, `on` and `off` change only this shell. The program does everything else, so its output can be piped.
@complete __awsrole_complete
def --env --wrapped "awsrole use" [...words] { __awsrole_choose [use ...$words] }
def --env --wrapped "awsrole on" [...words] { __awsrole_choose [on ...$words] }
def --env --wrapped "awsrole off" [...words] { __awsrole_choose [off ...$words] }
def --env --wrapped "awsrole refresh" [...words] { __awsrole_run [refresh ...$words] }
@complete __awsrole_complete
def --env --wrapped "awsrole allow" [...words] { __awsrole_run [allow ...$words] }
def --env --wrapped "awsrole deny" [...words] { __awsrole_run [deny ...$words] }
@complete __awsrole_complete
def --env --wrapped "awsrole login" [...words] { __awsrole_run [login ...$words] }
def --env --wrapped "awsrole logout" [...words] { __awsrole_run [logout ...$words] }
@complete __awsrole_complete
def --wrapped awsrole [...words] { with-env {AWSROLE_HOOK: $env.__awsrole.hook} { ^$__awsrole_bin ...$words } }

def --env __awsrole_prompt [] {
    let status = $env.LAST_EXIT_CODE?
    __awsrole_sync
    if $status != null { $env.LAST_EXIT_CODE = $status }
}

if "__awsrole_prompt" not-in ($env.config.hooks.pre_prompt? | default [] | each {|hook| view source $hook } | str join) {
    $env.config.hooks.pre_prompt = ($env.config.hooks.pre_prompt? | default [] | prepend {|| __awsrole_prompt })
}
