#!/usr/bin/env python3
"""Starts the real erl and Enigma with the same command lines and compares what they print and how they end.

usage: launch.py ENIGMA [--only NAME,...] [--show]

Each case is a command line, with environment, standard input and a signal where wanted. Exit codes must be equal.
Standard output must be equal too, and standard error where the case says so; paths of the emulator, dates and pids are
made alike. Cases that only Enigma has to answer name the expected exit code. Last line: `N passed, M failed`.
"""
import concurrent.futures, os, re, signal, subprocess, sys, tempfile, time

STOP = ["-s", "init", "stop"]


def show(expression):
    return ["-noshell", "-eval", "io:format(\"~p~n\",[%s]), halt()." % expression]


def case(name, words, env=None, stdin=None, kill=None, errors=True, want=None):
    """want: the exit code Enigma must give, where its text is its own; else it must be as erl's."""
    return dict(name=name, words=words, env=env or {}, stdin=stdin, kill=kill, errors=errors, want=want)


ARGUMENTS = show("{init:get_arguments() -- [A || {root,_}=A <- init:get_arguments()], init:get_plain_arguments()}")

CASES = [
    # How programs end
    case("halt", ["-noshell", "-eval", "halt(3)."]),
    case("halt 300", ["-noshell", "-eval", "halt(300)."]),
    case("halt negative", ["-noshell", "-eval", "halt(-1)."]),
    case("halt no flush", ["-noshell", "-eval", "halt(3, [{flush, false}])."]),
    case("halt bad option", ["-noshell", "-eval", "io:format(\"~p~n\", [catch halt(3, [{flush, 1}])]), halt()."]),
    case("halt abort", ["-noshell", "-eval", "halt(abort)."]),
    case("halt slogan", ["-noshell", "-eval", "halt(\"a slogan\")."]),
    case("halt long slogan", ["-noshell", "-eval", "halt(lists:duplicate(2000, $x))."]),
    case("halt unicode slogan", ["-noshell", "-eval", "halt([955, $b])."]),
    case("halt bad slogan", ["-noshell", "-eval", "io:format(\"~p~n\", [catch halt([a])]), halt()."]),
    case("halt flushes", ["-noshell", "-eval", "io:put_chars(lists:duplicate(100000, $x)), halt(1)."]),
    case("stop", ["-noshell", "-eval", "init:stop()."]),
    case("stop 7", ["-noshell", "-eval", "init:stop(7)."]),
    case("stop slogan", ["-noshell", "-eval", "init:stop(\"slog\")."]),
    case("restart", ["-noshell", "-eval", "case os:getenv(\"AGAIN\") of false -> os:putenv(\"AGAIN\", \"1\"), "
                     "io:format(\"first~n\"), init:restart(); _ -> io:format(\"second~n\"), halt(4) end."]),
    case("eval error", ["-noshell", "-eval", "1/0."]),
    case("eval syntax", ["-noshell", "-eval", "foo bar"]),
    case("eval exit", ["-noshell", "-eval", "exit(bye)."]),
    case("eval throw", ["-noshell", "-eval", "catch throw(ball), halt(2)."]),
    case("no module", ["-noshell", "-s", "nosuch"]),
    case("no function", ["-noshell", "-run", "lists", "foo", "bar"]),
    case("run strings", ["-noshell", "-run", "io", "format", "ab~n"] + STOP),
    case("kill init", ["-noshell", "-eval", "exit(whereis(init), kill), timer:sleep(60000)."]),
    case("kill controller", ["-noshell", "-eval", "exit(whereis(application_controller), kill), timer:sleep(60000)."]),
    # Signals
    case("SIGTERM", ["-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGTERM),
    case("SIGUSR1", ["-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGUSR1),
    case("SIGQUIT", ["-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGQUIT),
    case("SIGHUP", ["-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGHUP),
    case("SIGUSR2", ["-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGUSR2),
    case("SIGINT", ["-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGINT),
    case("SIGINT +B", ["+B", "-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGINT),
    case("SIGINT +Bd", ["+Bd", "-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGINT),
    case("SIGQUIT +Bd", ["+Bd", "-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGQUIT),
    case("SIGINT +Bc", ["+Bc", "-noshell", "-eval", "io:format(\"up~n\")."], kill=signal.SIGINT),
    case("SIGINT +Bi", ["+Bi", "-noshell", "-eval", "io:format(\"up~n\"), timer:sleep(1000), halt(5)."], kill=signal.SIGINT),
    case("handled", ["-noshell", "-eval", "os:set_signal(sigterm, ignore), os:set_signal(sighup, handle), "
                     "io:format(\"up~n\"), timer:sleep(1000), halt(6)."], kill=signal.SIGTERM),
    # Standard input
    case("pipe", ["-noshell", "-eval", "[io:format(\"~p~n\", [io:get_line(\"\")]) || _ <- [1,2,3,4]], halt()."],
         stdin="one\ntwo\nlast"),
    case("pipe chars", ["-noshell", "-eval", "io:format(\"~p~n\", [[io:get_chars(\"\", 2), io:read(\"\"), io:fread(\"\", \"~d ~s\")]]), halt()."],
         stdin="ab{x,1}.\n12 word\n"),
    case("pipe binary", ["-noshell", "-eval", "io:setopts([binary]), io:format(\"~p~n\", [file:read(standard_io, 5)]), "
                         "io:format(\"~p~n\", [io:get_line(\"\")]), halt()."], stdin="abcdefg\nx"),
    case("noinput", ["-noinput", "-eval", "io:format(\"~p~n\", [init:get_arguments() =/= []]), halt()."], stdin="x\n"),
    case("shell in a pipe", [], stdin="1+1.\nX = [a].\nX ++ [b].\nq().\n"),
    case("shell at its end", [], stdin="1+1.\n"),
    case("oldshell", ["-oldshell"], stdin="1+1.\nfoo(.\nlists:seq(1,3).\nhalt(3).\n"),
    case("columns", show("{io:columns(), io:rows(), io:getopts()}")),
    # Arguments
    case("arguments", ARGUMENTS + ["-a", "1", "2", "--", "p", "q", "-b", "-a", "x", "--", "z"]),
    case("extra", ARGUMENTS + ["-x", "1", "-extra", "-y", "+P", "--", "z"]),
    case("plus word", ARGUMENTS + ["--", "+P", "2000"]),
    case("environment", ARGUMENTS, env={"ERL_FLAGS": "-f 1", "ERL_AFLAGS": "-a 'b c' \"d\"", "ERL_ZFLAGS": "-z"}),
    case("release flags", ARGUMENTS, env={"ERL_OTP25_FLAGS": "-o", "ERL_OTP24_FLAGS": "-no"}),
    case("environment and extra", ARGUMENTS + ["-extra", "e"], env={"ERL_ZFLAGS": "-z"}),
    case("emulator flag in environment", show("erlang:system_info(process_limit)"), env={"ERL_FLAGS": "+P 5000"}),
    case("args file", ["-args_file", "@args"] + ARGUMENTS),
    case("no args file", ["-args_file", "nosuch"], want=1),
    case("env", ["-env", "ENIGMA_X", "y z"] + show("os:getenv(\"ENIGMA_X\")")),
    case("env incomplete", ["-env", "A"], want=1),
    case("config", ["-config", "@config"] + show("application:get_env(kernel, enigma)")),
    case("no config", ["-config", "nosuch", "-noshell"] + STOP),
    case("application argument", ["-kernel", "enigma", "17", "-stdlib", "x", "\"y\""]
         + show("{application:get_env(kernel, enigma), application:get_env(stdlib, x)}")),
    case("no boot", ["-noshell", "-boot", "nosuch"], errors=False),
    case("boot", ["-boot", "start_clean"] + show("init:script_id()")),
    case("no_dot_erlang", ["-boot", "no_dot_erlang"] + show("init:script_id()")),
    case("mode", ["-mode", "embedded"] + show("{code:get_mode(), length(code:all_loaded()) > 150}")),
    case("mode minimal", ["-mode", "minimal"] + show("[whereis(X) =/= undefined || X <- [inet_db, rex, global_name_server]]")),
    case("path", ["-pa", "/tmp", "-pz", "/usr"] + show("{hd(code:get_path()), lists:last(code:get_path())}")),
    case("code path choice", ["-code_path_choice", "strict"] + show("ok")),
    case("init debug", ["-init_debug", "-noshell", "-s", "erlang", "halt"], errors=False),
    case("hidden flags", ["-hidden", "-heart_ignored", "-nouse", "x", "-smp", "auto", "-smp"] + show("ok")),
    case("version", ["-version"]),
    case("plus V", ["+V"]),
    case("emu_args_exit", ["-emu_args_exit", "+P", "2000", "-x", "y", "-extra", "z"]),
    case("emulator arguments", ["+P", "2000"] + show("tl(erlang:system_info(emu_args))")),
    case("node name", show("{node(), node(self()), is_alive()}")),
    case("user", ["-noshell", "-nouser", "-eval", "erlang:display(whereis(user)), halt()."]),
]

# Emulator flags: expression to look at what they do.
FLAGS = [
    (["+P", "5000"], "process_limit"), (["+P5000"], "process_limit"), (["+P", "legacy"], "process_limit"),
    (["+Q", "5000"], "port_limit"), (["+A", "7"], "thread_pool_size"), (["+A0"], "thread_pool_size"),
    (["+S", "3"], "schedulers"), (["+S", "3:3"], "schedulers_online"), (["+S3"], "schedulers"), (["+SP", "50"], "schedulers"),
    (["+SDcpu", "1:1"], "dirty_cpu_schedulers"), (["+SDio", "3"], "dirty_io_schedulers"),
    (["+hms", "1000"], "min_heap_size"), (["+hmbs", "60000"], "min_bin_vheap_size"), (["+hmax", "1000000"], "max_heap_size"),
    (["+hmax", "1000000", "+hmaxk", "false", "+hmaxel", "false"], "max_heap_size"), (["+hmqd", "off_heap"], "message_queue_data"),
    (["+c", "false"], "time_correction"), (["+C", "multi_time_warp"], "time_warp_mode"), (["+spp", "true"], "port_parallelism"),
    (["+secio", "false"], "eager_check_io"), (["+zdbbl", "2000"], "dist_buf_busy_limit"), (["+R", "24"], "compat_rel"),
    (["+zosrl", "9"], "outstanding_system_requests_limit"), (["+Bi"], "break_ignored"), (["+Bd"], "break_ignored"),
]
for words, key in FLAGS:
    CASES.append(case(" ".join(words), words + show("erlang:system_info(%s)" % key)))
for words, expression in [(["+pc", "unicode"], "{io:printable_range(), [955]}"), (["+fnl"], "file:native_name_encoding()"),
                          (["+fnu"], "file:native_name_encoding()"), (["+fnue"], "file:native_name_encoding()"),
                          (["+hms", "1000"], "process_info(spawn(fun() -> receive x -> x end end), heap_size)")]:
    CASES.append(case("what " + " ".join(words), words + show(expression)))
for words in ["+a 32", "+d", "+e 2000", "+hpds 16", "+IOp 1", "+IOt 1", "+K true", "+L", "+n s", "+ns", "+r", "+rg 4",
              "+sbt u", "+sbtu", "+sbwt none", "+sbwtdcpu none", "+sbwtdio none", "+scl false", "+sub false", "+swct lazy",
              "+sws default", "+swt low", "+swtdcpu low", "+swtdio low", "+sss 64", "+sssdcpu 64", "+sssdio 64",
              "+sfwi 100", "+stbt u", "+t 100000", "+T 5", "+W w", "+zdntgc 10", "+JPperf false",
              "+MBas aobf", "+Mea min", "+Muycs 100", "+MIscs 200", "+B", "+SDPcpu 100", "+ssrct"]:
    CASES.append(case("accepts " + words, words.split() + show("ok"), errors=False))
for words in ["+Y", "+zzz", "+hms", "+P 5", "+P x", "+S x", "+S 0", "+sbwt foo", "+c maybe", "+C foo", "+R 2", "+SDio 0", "+Bx",
              "+sss 1", "+hmqd foo", "+pc foo", "+t 5", "+zdbbl 0", "+sbt foo", "+T 17", "+W x", "+K x", "+l", "+dcg 2"]:
    CASES.append(case("refuses " + words, words.split() + ["-noshell"] + STOP, want=1))


def start(command, spec, folder):
    words = [w.replace("@", folder + "/") if w.startswith("@") else w for w in spec["words"]]
    env = {k: v for k, v in os.environ.items() if not k.startswith("ERL_")}
    env.update(spec["env"], HOME=folder, LC_ALL="C.UTF-8")
    return subprocess.Popen(command + words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL if spec["stdin"] is None else subprocess.PIPE)


def outcome(command, spec):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "args"), "w") as file:
            file.write("-one 'two three' # comment\n-four \"five six\" \\-seven\n+P 5000\n")
        with open(os.path.join(folder, "config.config"), "w") as file:
            file.write("[{kernel, [{enigma, [1, 2, {three}]}]}].\n")
        process = start(command, spec, folder)
        head = b""
        if spec["kill"]:
            while not head.endswith(b"up\n"):
                byte = process.stdout.read(1)
                if not byte:
                    break
                head += byte
            time.sleep(0.1)
            process.send_signal(spec["kill"])
        try:
            out, err = process.communicate(None if spec["stdin"] is None else spec["stdin"].encode(), timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            return "timeout", normalise(head + out, folder), normalise(err, folder)
        return process.returncode, normalise(head + out, folder), normalise(err, folder)


def normalise(text, folder):
    text = text.decode("utf-8", "replace").replace(folder, "FOLDER")
    text = re.sub(r"\d+-[A-Z][a-z][a-z]-\d{4}::[\d:.]+", "DATE", text)
    text = re.sub(r"<0\.\d+\.\d+>", "<pid>", text)
    text = re.sub(r" \[jit:?\w*\]", "", text)
    return re.sub(r"#Ref<[\d.]+>", "<ref>", text)


def compare(enigma, spec):
    got = outcome([enigma], spec)
    if spec["want"] is not None:
        lines = got[2].strip().splitlines()
        ok = got[0] == spec["want"] and len(lines) == 1
        return ok, (spec["want"], "", "one line"), got
    want = outcome(["erl"], spec)
    if not spec["errors"]:
        want, got = want[:2], got[:2]
    return want == got, want, got


def main():
    arguments = sys.argv[1:]
    enigma = os.path.abspath(arguments.pop(0))
    only = arguments[arguments.index("--only") + 1].split(",") if "--only" in arguments else []
    chosen = [c for c in CASES if not only or c["name"] in only]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for spec, (ok, want, got) in zip(chosen, pool.map(lambda c: compare(enigma, c), chosen)):
            passed, failed = passed + ok, failed + (not ok)
            if not ok or "--show" in arguments:
                print("%s %s\n  erl    %s\n  enigma %s" % ("ok" if ok else "DIFFERS", spec["name"], str(want)[:700], str(got)[:700]))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
