# awsrole for xonsh. It assumes the role of a project when you `cd` into it and restores the environment when you leave.
# One process at each prompt compares what the last decision rests on. If anything changed, everything that awsrole set
# is undone, and a second process decides. `awsrole hook xonsh` fills in the path and the blocked state.

def __awsrole_load():
    import json
    import subprocess
    import sys
    from os.path import isfile
    from xonsh.built_ins import XSH
    from xonsh.tools import unthreadable

    binary = @BIN@
    env = XSH.env
    # token: what the last answer rests on. prior: values before awsrole, None for unset. hook: on | off | inactive.
    # pending: not answered yet. block: what is set without an answer.
    state = dict(token='', prior={}, hook='on', pending=False, prompted=False, block=json.loads(@BLOCK@))

    def say(text):
        print('awsrole: ' + text, file=sys.stderr)

    def write(name, value):
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value

    def apply(answer):
        for name, value in [(name, None) for name in answer['unset']] + list(answer['set'].items()):
            state['prior'].setdefault(name, env.get(name))
            write(name, value)

    def undo(names):
        for name in names:
            write(name, state['prior'].get(name))
        state['prior'] = {}

    def ask(*words, command=('export', 'json', '--protocol', '@PROTOCOL@')):
        program = binary + '-hook' if command[0] == 'export' and isfile(binary + '-hook') else binary
        words = [program, 'hook', *command, '--token', state['token'], *words]
        done = subprocess.run(words, env=env.detype(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        answer = json.loads(done.stdout) if done.returncode == 0 else None
        if answer:
            state.update(token=answer['token'], hook=answer['hook'])
        return answer

    # Without an answer the shell is blocked, whatever went wrong.
    def fail():
        if state['prior'] or state['pending'] or isfile(binary):
            if env.get('AWSROLE_STATE') != 'blocked':
                say('no complete answer: this shell is blocked (hint: `awsrole refresh` retries)')
            undo(list(state['prior']))
            apply(state['block'])
            state['token'] = state['block']['token']
        state['pending'] = False

    def sync(*typed):
        try:
            if state['pending']:
                return fail()
            changed = ask('--compare', *typed, '--')
            if not changed['changed']:
                return
            state.update(pending=True, block=changed['block'])
            undo(changed['undo'])
            for name in changed['restore']:
                write(name, None)
            answer = ask('--')
            for name, value in answer['restore'].items():
                write(name, value)
            apply(answer)
            state.update(pending=False, block=answer['block'])
        except (Exception, KeyboardInterrupt):
            fail()

    @unthreadable
    def change(args):
        if args[0] in ('use', 'on', 'off'):
            try:
                if not ask('--', *args, command=('command', 'json')):
                    return 1
            except (Exception, KeyboardInterrupt):
                return 1
            sync('--typed', args[0])
            return 1 if env.get('AWSROLE_STATE') == 'blocked' else 0
        try:
            status = subprocess.run([binary, *args], env={**env.detype(), 'AWSROLE_HOOK': state['hook']}).returncode
        except KeyboardInterrupt:
            status = 130
        sync('--typed', args[0])
        is_blocked = env.get('AWSROLE_STATE') == 'blocked'
        return 1 if status == 0 and is_blocked and args in (['refresh'], ['refresh', '--all']) else status

    # The program itself runs for what changes nothing in this shell, so it can be piped and captured.
    @XSH.aliases.return_command
    def awsrole(args):
        args = [str(arg) for arg in args]
        if args and args[0] in ('use', 'on', 'off', 'refresh', 'allow', 'deny', 'login', 'logout'):
            return ['__awsrole_change', *args]
        return {'cmd': [binary, *args], 'env': {'AWSROLE_HOOK': state['hook']}}

    # A `cd` in the rc file is decided at the first prompt.
    def moved(**_):
        if state['prompted']:
            sync()

    def prompt(**_):
        state['prompted'] = True
        sync()

    XSH.aliases['__awsrole_change'] = change
    XSH.aliases['awsrole'] = awsrole
    XSH.commands_cache.threadable_predictors['awsrole'] = lambda *_: False
    XSH.builtins.events.on_pre_prompt(prompt)
    XSH.builtins.events.on_chdir(moved)

if __xonsh__.env.get('XONSH_INTERACTIVE') and not 'awsrole' in __xonsh__.aliases:
    __awsrole_load()
del __awsrole_load
