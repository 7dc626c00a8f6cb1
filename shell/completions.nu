
# What Tab offers. `awsrole use` is one word here. A name that nushell could evaluate is quoted.
def __awsrole_complete [words: list<string>] {
    let words = ($words.0 | split row " ") ++ ($words | skip 1)
    with-env {AWSROLE_COMPLETE: fish} { ^$__awsrole_bin -- ...$words } | complete | get stdout | lines | each {|line|
        let parts = ($line | split row --number 2 "\t")
        let value = (if $parts.0 =~ '^[\w+.,@/-]+$' { $parts.0 } else { $parts.0 | to nuon })
        {value: $value, description: ($parts.1? | default "")}
    }
}
