

# What Tab offers.
def __awsrole_load_completions():
    import subprocess
    from xonsh.built_ins import XSH
    from xonsh.completers.completer import add_one_completer
    from xonsh.completers.tools import RichCompletion, contextual_command_completer_for

    @contextual_command_completer_for('awsrole')
    def complete(context):
        words = [arg.value for arg in context.args[:context.arg_index]]
        asked = {**XSH.env.detype(), 'AWSROLE_COMPLETE': 'fish'}
        done = subprocess.run([@BIN@, '--', *words, context.prefix], env=asked, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            value, _, description = line.partition('\t')
            plain = value.replace('-', '').replace('/', '').replace('.', '').isidentifier()
            yield RichCompletion(value if plain else repr(value), description=description, append_space=not value.endswith('/'))

    add_one_completer('awsrole', complete, 'start')

if __xonsh__.env.get('XONSH_INTERACTIVE'):
    __awsrole_load_completions()
del __awsrole_load_completions
