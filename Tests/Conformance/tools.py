#!/usr/bin/env python3
"""The launchers `escript` and `erlc` of otp/bin against OTP's: same output, exit codes and compiled files.

usage: tools.py ENIGMA [--full]

Compiles OTP modules and small programs with both compilers and compares every byte; runs scripts of all kinds. The
modules are compiled in the MODES too; with --full in all of them.
Last line: `N passed, M failed`.
"""
import concurrent.futures, glob, os, re, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(HERE, "../../otp/bin")
ROOT = subprocess.run(["sh", os.path.join(BIN, "../locate.sh")], capture_output=True, text=True, check=True).stdout.strip()

FILES = {
    "args": "#!/usr/bin/env escript\n%% -*- erlang -*-\n%%! +P 5000 -extra_flag  x\nmain(A) ->\n"
            "    io:format(\"~p ~p ~p ~p~n\", [A, escript:script_name(), erlang:system_info(process_limit), init:get_argument(extra_flag)]).\n",
    "second": "#!/usr/bin/env escript\n%%! +P 5000\nmain(_) -> io:format(\"~p~n\", [erlang:system_info(process_limit)]).\n",
    "compiled": "#!/usr/bin/env escript\n-mode(compile).\n-export([f/0]).\nf() -> erlang:error(boom).\n"
                "main([\"halt\"]) -> halt(7);\nmain([\"error\"]) -> f();\nmain([\"throw\"]) -> throw(x);\n"
                "main([\"exit\"]) -> exit(normal);\nmain([\"in\"]) -> io:format(\"~p~n\", [io:get_line(\"\")]);\n"
                "main(A) -> io:format(\"ok ~p~n\", [A]).\n",
    "interpreted": "#!/usr/bin/env escript\n-define(X, 17).\n-record(r, {a = 1}).\n"
                   "main([\"error\"]) -> helper(0);\nmain(_) -> io:format(\"~p ~p~n\", [?X, #r{}]).\nhelper(X) -> 1 / X.\n",
    "open": "#!/usr/bin/env escript\nmain(_) -> foo(.\n",
    "unbound": "#!/usr/bin/env escript\nmain(_) -> X.\n",
    "no_main": "#!/usr/bin/env escript\nother(_) -> ok.\n",
    "warning": "#!/usr/bin/env escript\nmain(A) -> B = 1, ok.\nunused() -> ok.\n",
    "empty": "",
    "utf8": "#!/usr/bin/env escript\n%% -*- coding: utf-8 -*-\nmain(_) -> io:format(\"~ts~n\", [\"åäö €\"]).\n",
    "good.erl": "-module(good).\n-export([f/1]).\nf(X) when is_integer(X) -> [Y || Y <- lists:seq(1, X), Y rem 2 =:= 0].\n",
    "bad.erl": "-module(bad).\n-export([f/1]).\nf(X) -> Y.\ng() -> ok.\n",
    "warned.erl": "-module(warned).\n-export([f/1]).\nf(X) -> ok.\n",
    "macro.erl": "-module(macro).\n-export([f/0]).\n-include(\"h.hrl\").\nf() -> {?A, ?B}.\n",
    "inc/h.hrl": "-define(B, 2).\n",
    "words.xrl": "Definitions.\nRules.\n[a-z]+ : {token, {word, TokenLine, TokenChars}}.\n\\s+ : skip_token.\nErlang code.\n",
    "grammar.yrl": "Nonterminals list.\nTerminals word.\nRootsymbol list.\nlist -> word : ['$1'].\nlist -> word list : ['$1' | '$2'].\n",
    "uses.erl": "-module(uses).\n-compile({parse_transform, trans}).\n-export([f/0]).\nf() -> x.\n",
    "trans.erl": "-module(trans).\n-export([parse_transform/2]).\nparse_transform(Forms, _) -> Forms.\n",
}

SCRIPTS = [["args", "a", "b c", "-x", "--", "+y"], ["second"], ["compiled", "x"], ["-c", "compiled", "x"], ["-i", "compiled", "x"],
           ["compiled", "halt"], ["compiled", "error"], ["compiled", "throw"], ["compiled", "exit"], ["compiled", "in"],
           ["interpreted"], ["interpreted", "error"], ["-c", "interpreted", "error"], ["-i", "interpreted"], ["-n", "interpreted"],
           ["-s", "interpreted"], ["-s", "warning"], ["-s", "open"], ["open"], ["unbound"], ["no_main"], ["warning"], ["empty"], ["utf8"],
           ["nosuch"], [], ["-c"], ["archive", "1", "2"], ["archive2", "z"], ["beam", "q"]]

MAKE = r"""
main(_) ->
    {ok, main, Beam} = compile:forms([{attribute,1,module,main}, {attribute,2,export,[{main,1}]},
        {function,3,main,1,[{clause,3,[{var,3,'A'}],[],[{call,3,{remote,3,{atom,3,io},{atom,3,format}},
        [{string,3,"from archive ~p~n"},{cons,3,{var,3,'A'},{nil,3}}]}]}]}]),
    ok = escript:create("archive", [shebang, {emu_args, "-escript main main"}, {archive, [{"main.beam", Beam}], []}]),
    ok = escript:create("archive2", [shebang, comment, {emu_args, "+P 5000 -escript main main"}, {archive, [{"main.beam", Beam}], [{compress, []}]}]),
    ok = escript:create("beam", [shebang, {beam, Beam}]).
"""

COMPILES = [["good.erl"], ["bad.erl"], ["warned.erl"], ["-Werror", "warned.erl"], ["-W0", "warned.erl"], ["+deterministic", "+debug_info", "good.erl"],
            ["+deterministic", "-o", "inc", "good.erl"], ["+deterministic", "-DA=17", "-I", "inc", "macro.erl"], ["-DA=17", "macro.erl"], ["nosuch.erl"], [],
            ["words.xrl"], ["grammar.yrl"], ["-S", "good.erl"], ["-E", "good.erl"], ["-P", "good.erl"], ["-v", "good.erl"],
            ["+to_core", "good.erl"], ["-M", "-I", "inc", "macro.erl"], ["-bS", "good.erl"], ["-bx", "good.erl"], ["-x"], ["-pa"], ["good.xyz"],
            ["trans.erl", "uses.erl"], ["-pa", ".", "uses.erl"], ["-help"], ["good"], ["+nonsense(", "good.erl"]]
MODULES = ["stdlib-*/src/lists", "stdlib-*/src/gen_server", "stdlib-*/src/erl_parse", "compiler-*/src/sys_core_fold",
           "compiler-*/src/beam_ssa_opt"]
# Flags of Enigma, and how many of the modules are compiled with them without --full.
MODES = {"--no-jit": 1, "--jit-threshold 20": 3, "--jit-threshold 20 --jit-exit-stress": 1, "--jit-eager": 0,
         "--jit-threshold 20 --gc-stress": 0}
# With --jit-eager the compiler is compiled before it compiles, with --gc-stress it collects all the time.
LIMIT = 900 if "--full" in sys.argv else 280


def run(command, folder, env):
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, env=env)
    except subprocess.TimeoutExpired:
        return ["hangs", "", ""]
    text = [t.decode("utf-8", "replace").replace(folder, "FOLDER") for t in (done.stdout, done.stderr)]
    text = [re.sub(r"__escript__[\d_]+", "__escript__", t) for t in text]
    return [done.returncode] + text


def contents(folder):
    """What was written, but for the sources: name to bytes."""
    found = {}
    for path in glob.glob(os.path.join(folder, "**"), recursive=True):
        name = os.path.relpath(path, folder)
        if os.path.isfile(path) and name not in FILES and not name.startswith("archive") and name != "beam":
            with open(path, "rb") as file:
                found[name] = file.read().replace(folder.encode(), b"FOLDER")
    return found


def prepare(folder):
    for name, text in FILES.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o755)


def attempt(tool, words, env):
    # Folders of equal length, so that what depends on it (chunk sizes) is equal.
    with tempfile.TemporaryDirectory(prefix="enigma") as folder:
        prepare(folder)
        if "archive" in words or "archive2" in words or "beam" in words:
            with open(os.path.join(folder, "make"), "w") as file:
                file.write("#!/usr/bin/env escript\n" + MAKE)
            run(["escript", "make"], folder, os.environ)
        result = run([tool] + words, folder, env)
        return result, contents(folder)


def main():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ERL", "ESCRIPT"))}
    env["LC_ALL"] = "C.UTF-8"
    full = "--full" in sys.argv
    cache = tempfile.TemporaryDirectory()
    own = dict(env, ENIGMA_BINARY=os.path.abspath(sys.argv[1]), XDG_CACHE_HOME=cache.name)
    jobs = [("escript", words) for words in SCRIPTS] + [("erlc", words) for words in COMPILES]
    jobs = [(tool, words, "") for tool, words in jobs]
    for mode, count in [("", len(MODULES))] + list(MODES.items()):
        for pattern in MODULES if full else MODULES[:count]:
            source = glob.glob(os.path.join(ROOT, "lib", pattern + ".erl"))
            words = ["+deterministic", "+debug_info", "-o", "."] + source if source else ["missing " + pattern]
            jobs.append(("erlc", words, mode))
    passed = failed = 0

    def both(job):
        tool, words, mode = job
        flags = dict(own, ERLC_EMULATOR="'%s' %s" % (os.path.join(BIN, "erl"), mode)) if mode else own
        return attempt(tool, words, env), attempt(os.path.join(BIN, tool), words, flags)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for (tool, words, mode), (want, got) in zip(jobs, pool.map(both, jobs)):
            if words and words[0].startswith("missing"):
                ok = False
            else:
                ok = want == got
            passed, failed = passed + ok, failed + (not ok)
            if not ok:
                print("%s %s %s\n  erl    %s %s\n  enigma %s %s" % (tool, mode, words, str(want[0])[:600], sorted(want[1]), str(got[0])[:600], sorted(got[1])))
                for name in want[1]:
                    if name in got[1] and want[1][name] != got[1][name]:
                        print("    %s differs" % name)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
