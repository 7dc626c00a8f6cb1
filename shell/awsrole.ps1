# awsrole for PowerShell 7. It was never run. It assumes the role of a project when you `cd` into it and restores the
# environment when you leave. One process at each prompt compares what the last decision rests on. If anything changed,
# everything that awsrole set is undone, and a second process decides. `awsrole hook pwsh` fills in the path and the
# blocked state.

# token: what the last answer rests on. prior: values before awsrole, $null for unset. hook: on | off | inactive.
# pending: not answered yet. block: what is set without an answer.
if (-not $global:__awsrole) {
    $global:__awsrole = @{ token = 'e30'; prior = @{}; hook = 'on'; pending = $false; block = @BLOCK@ | ConvertFrom-Json -AsHashtable }
}
$global:__awsrole_bin = @BIN@

function global:__awsrole_write($name, $value) { [Environment]::SetEnvironmentVariable($name, $value) }

function global:__awsrole_apply($answer) {
    $pairs = @($answer.unset | ForEach-Object { , @($_, $null) }) + @($answer.set.GetEnumerator() | ForEach-Object { , @($_.Key, $_.Value) })
    foreach ($pair in $pairs) {
        if (-not $__awsrole.prior.ContainsKey($pair[0])) {
            $__awsrole.prior[$pair[0]] = [Environment]::GetEnvironmentVariable($pair[0])
        }
        __awsrole_write $pair[0] $pair[1]
    }
}

function global:__awsrole_undo($names) {
    foreach ($name in @($names)) { __awsrole_write $name $__awsrole.prior[$name] }
    $__awsrole.prior = @{}
}

# Throws without an answer.
function global:__awsrole_ask($kind, $words) {
    $program = $__awsrole_bin
    if ($kind -eq 'export' -and (Test-Path -LiteralPath "$program-hook" -PathType Leaf)) { $program = "$program-hook" }
    $text = & $program hook $kind json --token $__awsrole.token @words
    if ($LASTEXITCODE -ne 0 -or -not $text) { throw 'no answer' }
    $answer = $text | Out-String | ConvertFrom-Json -AsHashtable
    $__awsrole.token = $answer.token
    $__awsrole.hook = $answer.hook
    $answer
}

# Without an answer the shell is blocked, whatever went wrong.
function global:__awsrole_fail {
    if ($env:AWSROLE_STATE -ne 'blocked') {
        [Console]::Error.WriteLine('awsrole: no complete answer: this shell is blocked (hint: `awsrole refresh` retries)')
    }
    __awsrole_undo @($__awsrole.prior.Keys)
    __awsrole_apply $__awsrole.block
    $__awsrole.token = $__awsrole.block.token
    $__awsrole.pending = $false
}

function global:__awsrole_sync($typed = @()) {
    try {
        if ($__awsrole.pending) { throw 'interrupted' }
        $changed = __awsrole_ask export (@('--protocol', '@PROTOCOL@', '--compare') + $typed + '--')
        if (-not $changed.changed) { return }
        $__awsrole.pending = $true
        $__awsrole.block = $changed.block
        __awsrole_undo $changed.undo
        foreach ($name in $changed.restore.Keys) { __awsrole_write $name $null }
        $answer = __awsrole_ask export @('--protocol', '@PROTOCOL@', '--')
        foreach ($pair in $answer.restore.GetEnumerator()) { __awsrole_write $pair.Key $pair.Value }
        __awsrole_apply $answer
        $__awsrole.block = $answer.block
        $__awsrole.pending = $false
    } catch { __awsrole_fail }
}

# The command `awsrole`. `use`, `on` and `off` change only this shell. The program does everything else.
function global:awsrole {
    $first = if ($args.Count) { [string]$args[0] } else { 'help' }
    if ($first -cin 'use', 'on', 'off') {
        try { $null = __awsrole_ask command (@('--') + $args) } catch { $global:LASTEXITCODE = 1; return }
        $status = 0
    } else {
        try { $env:AWSROLE_HOOK = $__awsrole.hook; & $__awsrole_bin @args } finally { $env:AWSROLE_HOOK = $null }
        $status = $LASTEXITCODE
    }
    __awsrole_sync @('--typed', $first)
    $needs_role = $first -ceq 'use' -or "$args" -cin 'refresh', 'refresh --all'
    if ($needs_role -and -not $status -and $env:AWSROLE_STATE -eq 'blocked') { $status = 1 }
    $global:LASTEXITCODE = $status
}

if (-not $global:__awsrole_user_prompt) {
    $global:__awsrole_user_prompt = $function:prompt
    function global:prompt {
        $status = $global:LASTEXITCODE
        __awsrole_sync
        $global:LASTEXITCODE = $status
        & $__awsrole_user_prompt
    }
}
