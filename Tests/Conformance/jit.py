#!/usr/bin/env python3
"""Tests of the JIT from outside: what it shows, that it gives memory back, and that a failing LLVM does not hurt.

usage: jit.py ENIGMA [--reloads N]

Prints a line for each test, and `N passed, M failed`. Exit code 1 if any failed.
"""
import glob, os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HOT = """
-module(hot).
-export([main/0, run/0, wait/0, fib/1, big/2]).
main() -> run(), wait(), run(), io:format("~p ~p~n", [fib(20), big(3000, 1 bsl 60)]).
run() -> [fib(12) || _ <- lists:seq(1, 20)], big(2500, 0).
%% Compiled, or the JIT is off.
wait() ->
    case enigma_jit:stats() of
        #{enabled := true, queued := N, units := U} when N > 0; U < 2 -> timer:sleep(10), wait();
        _ -> timer:sleep(100)
    end.
fib(N) when N < 2 -> N;
fib(N) -> fib(N - 1) + fib(N - 2).
big(0, Acc) -> Acc;
big(N, Acc) -> big(N - 1, Acc + N).
"""
WARM = """
-module(warm).
-export([outer/2, small/1, is/2, traced/2, again/2]).
outer(0, A) -> A;
outer(N, A) -> outer(N - 1, small(A)).
small(A) -> (A * 3 + 1) band 1023.
%% Runs it until it is native code of a later unit.
again(Unit, N) when N > 0 ->
    outer(300, 1),
    case enigma_jit:info({?MODULE, outer, 2}) of
        #{state := compiled, unit := U} when U > Unit -> U;
        _ -> receive after 5 -> again(Unit, N - 1) end
    end.
is(State, N) when N > 0 ->
    [?MODULE:small(I) || I <- lists:seq(1, 100)],
    case enigma_jit:info({?MODULE, small, 1}) of
        #{state := State} -> true;
        _ -> receive after 5 -> is(State, N - 1) end
    end.
%% What is native code is traced, and native code again once it is not.
traced(Pattern, Kind) ->
    Tracer = spawn(fun() -> counts(0) end),
    Flags = case Kind of meta -> [{meta, Tracer}]; _ -> [Kind] end,
    true = is(compiled, 4000),
    Unit = again(0, 4000),
    true = erlang:trace_pattern(Pattern, true, Flags) > 0,
    #{state := refused, reason := <<"it is traced">>} = enigma_jit:info({?MODULE, small, 1}),
    1 = erlang:trace(self(), true, [call, {tracer, Tracer}]),
    69 = outer(6, 1),
    Met = messages(Tracer) >= 6,
    Met = Kind =:= local orelse Kind =:= meta,
    #{state := refused} = enigma_jit:info({?MODULE, small, 1}),
    Poorer = case Pattern of {_, small, _} -> again(Unit, 4000); _ -> Unit end,
    true = erlang:trace_pattern(Pattern, false, [case Kind of meta -> meta; _ -> Kind end]) > 0,
    _ = messages(Tracer),
    true = again(Poorer, 4000) > Poorer,
    true = is(compiled, 4000),
    69 = outer(6, 1),
    0 = messages(Tracer),
    1 = erlang:trace(self(), false, [call]),
    exit(Tracer, kill).
messages(Tracer) -> Tracer ! {count, self()}, receive {counted, N} -> N end.
counts(N) -> receive {count, To} -> To ! {counted, N}, counts(0); _ -> counts(N + 1) end.
"""
RESULT = "6765 %d" % ((1 << 60) + 3000 * 3001 // 2)


class Failure(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failure(what)


class Tests:
    def __init__(self, enigma, reloads, folder):
        self.enigma, self.reloads, self.folder = enigma, reloads, folder

    def run(self, flags, code, limit=240):
        done = subprocess.run(
            [self.enigma, "--jit-cache", "off"] + flags + ["-noshell", "-pa", self.folder, "-eval", code + ", halt()."], stdin=subprocess.DEVNULL,
            capture_output=True, timeout=limit, cwd=self.folder, text=True, errors="replace")
        expect(done.returncode == 0, "exit code %d: %s" % (done.returncode, (done.stdout + done.stderr)[-500:]))
        return done

    def test_llvm_failure(self):
        """LLVM fails at the second unit: one line is logged, the program goes on, code can be purged."""
        done = self.run(
            ["--jit-threshold", "50", "--jit-fail", "2"],
            "hot:main(), #{enabled := false, off_reason := _} = enigma_jit:stats(),"
            "code:purge(hot), code:load_file(hot), code:purge(hot), hot:main()")
        expect(done.stdout.split("\n")[:2] == [RESULT, RESULT], done.stdout)
        expect(len(re.findall("^jit: LLVM failed", done.stderr, re.M)) == 1, done.stderr)

    def test_llvm_failure_eager(self):
        """The same while schedulers wait for the compile thread."""
        done = self.run(["--jit-eager", "--jit-fail", "3"], "hot:main()")
        expect(done.stdout.startswith(RESULT), done.stdout)
        expect("jit: LLVM failed" in done.stderr, done.stderr)

    def test_info(self):
        done = self.run(
            ["--jit-threshold", "100"],
            "undefined = enigma_jit:info({hot, none, 7}), [] = enigma_jit:info(no_such_module), hot:main(),"
            "#{state := compiled, code_size := S, compile_time := T, exits := 0} = enigma_jit:info({hot, fib, 1}),"
            "true = S > 150 andalso T > 0, {ok, #{unit := _}} = enigma_jit:dump(hot, fib, 1), #{state := compiled, exits := _, seen := [{_, add_xx, [{'large integer', 15}]}]} = enigma_jit:info({hot, big, 2}), #{exits := X} = enigma_jit:stats(), true = X > 0,"
            "#{state := interpreted, interpreted_calls := 1} = enigma_jit:info({hot, main, 0}),"
            "8 = length(enigma_jit:info(hot)), true = lists:member(maps:remove(seen, enigma_jit:info({hot, fib, 1})), enigma_jit:info()),"
            "{'EXIT', {badarg, _}} = (catch enigma_jit:info(\"hot\")), io:format(\"all right~n\")")
        expect(done.stdout.endswith("all right\n"), done.stdout)

    def test_statistics(self):
        done = self.run(["--jit-threshold", "100", "--jit-stats"], "hot:main()")
        found = re.search(r"jit: (\d+) functions in (\d+) units, 0 refused", done.stderr)
        expect(found and int(found[2]) >= 2, done.stderr)
        expect(re.search(r"jit: [1-9]\d* side exits", done.stderr), done.stderr)
        expect(self.run(["--no-jit", "--jit-stats"], "hot:fib(20)").stderr.startswith("jit: 0 functions"), "no-jit")

    def test_too_large(self):
        """Functions that LLVM would take too long for stay interpreted, and the reason is shown."""
        names = ["A%d" % i for i in range(254)]
        more = ["%s + 1" % a for a in names[1:] + names[:1]]
        wide = "wide(0, %s) -> lists:sum([%s]);\nwide(N, %s) -> wide(N - 1, %s).\n" % (
            ", ".join(names), ", ".join(names), ", ".join(names), ", ".join(more))
        clauses = ["long({op%d, X}, Y) when X > %d -> small(X, Y + %d)" % (i, i % 7, i) for i in range(3000)]
        with open(self.folder + "/large.erl", "w") as file:
            file.write("-module(large).\n-export([main/0, wide/255, long/2, small/2]).\n"
                       "main() -> {apply(?MODULE, wide, [300 | lists:seq(1, 254)]), "
                       "lists:sum([long({list_to_atom(\"op\" ++ integer_to_list(N)), N + 10}, N) || N <- lists:seq(1, 2999)]), "
                       "lists:sum([small(N, 1) || N <- lists:seq(1, 3000)])}.\n"
                       "small(X, Y) -> X + Y.\n" + wide + ";\n".join(clauses) + ".\n")
        subprocess.run(["erlc", "-o", self.folder, self.folder + "/large.erl"], check=True)
        show = ", io:format(\"~w~n\", [large:main()])"
        expected = subprocess.run(["erl", "-noshell", "-pa", self.folder, "-eval", "ok" + show + ", halt()."],
                                  capture_output=True, text=True, check=True).stdout
        done = self.run(
            ["--jit-eager", "--jit-only", "large", "--jit-stats"],
            "ok" + show + ", [#{state := refused, reason := <<\"too large\", _/binary>>} = enigma_jit:info({large, F, A}) ||"
            "{F, A} <- [{wide, 255}, {long, 2}]], #{state := compiled} = enigma_jit:info({large, small, 2})")
        expect(done.stdout == expected, done.stdout)
        expect("jit: refused 1: too large: " in done.stderr, done.stderr)
        longest = int(re.search(r"the longest (\d+)", done.stderr)[1])
        expect(longest < 4000, "%d ms of LLVM for one unit" % longest)
        return "%d ms for the longest" % longest

    def test_replaced_code_is_freed(self):
        """A unit that lost its bets is compiled again; the old code goes, for gdb too, while its functions are run."""
        wait = ("Wait = fun W() -> hot:fib(5), hot:big(100, 1 bsl 60), case enigma_jit:stats() of #{units_freed := N} when N > 0 -> ok;"
                " _ -> timer:sleep(10), W() end end, Wait()")
        for flags in [[], ["--jit-gdb"], ["+S", "1"]]:
            done = self.run(
                ["--jit-threshold", "100"] + flags,
                "hot:run(), hot:wait(), Self = self(), [spawn_link(fun() -> [hot:big(400, 1 bsl 60) || _ <- lists:seq(1, 300)], Self ! done end) || _ <- [1, 2, 3]],"
                "[receive done -> ok end || _ <- [1, 2, 3]], " + wait + ","
                "#{recompiled := R} = enigma_jit:stats(), true = R > 0, #{state := compiled} = enigma_jit:info({hot, big, 2}),"
                "true = hot:big(3, 1 bsl 60) =:= (1 bsl 60) + 6,"
                "code:purge(hot), code:delete(hot), code:purge(hot), hot:fib(10), io:format(\"fine\")")
            expect(done.stdout == "fine", done.stdout)

    def test_dump_in_the_shell(self):
        done = self.run(
            [],
            "{error, undefined} = enigma_jit:dump(hot, none, 1), code:load_file(hot), {error, not_called} = enigma_jit:dump(hot, fib, 1),"
            "hot:fib(3), {ok, #{beam := B, 'after.ll' := A, s := S}} = enigma_jit:dump(hot, fib, 1),"
            "{ok, [_, _, _, _, _]} = enigma_jit:dump(hot, fib, 1, \"shown\"),"
            "hot:big(20, 1 bsl 60), {ok, #{beam := C}} = enigma_jit:dump(hot, big, 2),"
            "io:format(\"~s~n~s~n~s~n~s~n\", [B, A, S, C])")
        for text in ["hot.erl:15, seen: large integer\n", "hot:fib/1", "is_lt_xi", "DILocation", "musttail", ".loc"]:
            expect(text in done.stdout, "no %s" % text)
        expect(len(glob.glob(self.folder + "/shown/*-dump.*")) == 5, "files")
        done = self.run(["--no-jit"], "{error, no_jit} = enigma_jit:dump(lists, reverse, 1), io:format(\"ok\")")
        expect(done.stdout == "ok", done.stdout)

    def test_dump_and_report(self):
        self.run(["--jit-threshold", "100", "--jit-dump", "dump"], "hot:main()")
        # The first unit bets, and loses: later ones have no exits.
        units = sorted(glob.glob(self.folder + "/dump/*-hot-big-2.unit"), key=lambda n: int(os.path.basename(n).split("-")[0]))
        expect(units, "no unit of hot:big/2")
        text = {kind: open(units[0][:-4] + kind).read() for kind in ["beam", "before.ll", "after.ll", "s"]}
        listing = text["beam"].split("\n")
        line = next(i for i, text in enumerate(listing) if "exit 0: " in text) + 1
        expect("hot.erl:15, exit" in listing[line - 1], listing[line - 1])
        expect("!DILocation(line: %d," % line in text["after.ll"], "IR has no line %d" % line)
        expect(re.search(r"\.loc\s+1 %d " % line, text["s"]), "assembly has no line %d" % line)
        counts = open(self.folder + "/dump/counts.tsv").read()
        expect(re.search(r"^exits\t\d+\t\d+\t[1-9]", counts, re.M), "no exits counted")
        expect(re.search(r"^calls\t\d+\t\d+\t[1-9]", counts, re.M), "no calls counted")
        subprocess.run([self.enigma, "jit-report", "dump"], check=True, cwd=self.folder, capture_output=True)
        page = open(self.folder + "/dump/report.html").read()
        for text in ["hot:fib/1", "big(N - 1, Acc + N)", "movabs", "musttail"]:
            expect(text in page, "the page has no %s" % text)
        expect("http" not in page.split("const D =")[0], "the page names other files")
        self.run(["--jit-threshold", "100", "--jit-dump", "one", "--jit-dump-filter", "hot:fib/1"], "hot:main()")
        expect(len(glob.glob(self.folder + "/one/*.beam")) == 1, "the filter does not filter")

    def test_perf(self):
        code = "hot:main(), io:format(\"~s\", [os:getpid()])"
        pid = self.run(["--jit-threshold", "100", "--jit-perf", "map"], code).stdout.split("\n")[1]
        path = "/tmp/perf-%s.map" % pid
        text = open(path).read()
        os.unlink(path)
        expect(re.search(r"^[0-9a-f]+ [0-9a-f]+ hot:fib/1", text, re.M), text[:300])
        pid = self.run(["--jit-threshold", "100", "--jit-perf", "jitdump"], code).stdout.split("\n")[1]
        path = "/tmp/jit-%s.dump" % pid
        data = open(path, "rb").read()
        os.unlink(path)
        expect(data[:4] == b"DTiJ" and b"hot:fib/1" in data, "no jitdump")

    def test_debugger(self):
        """gdb names native frames and finds its way out of them."""
        if not shutil.which("gdb"):
            return "skipped: no gdb"
        script = os.path.join(os.path.dirname(os.path.dirname(HERE)), "otp", "enigma-gdb.py")
        code = "hot:main(), spawn(fun() -> timer:sleep(100000), halt() end), F = fun F() -> hot:fib(25), F() end, F(), halt()."
        child = subprocess.Popen(
            [self.enigma, "--jit-threshold", "100", "--jit-gdb", "+S", "1", "-noshell", "-pa", self.folder, "-eval", code],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            child.stdout.readline()
            # Nearly all of the time is in native code, but now and then it is in the collector.
            for _ in range(8):
                done = subprocess.run(
                    ["gdb", "-q", "-batch", "-nx", "-p", str(child.pid), "-x", script, "-ex", "erlang-threads"],
                    capture_output=True, text=True, timeout=60, errors="replace")
                if re.search(r"#0 .*hot:fib/1", done.stdout):
                    break
            expect(re.search(r"#0 .*hot:fib/1", done.stdout), done.stdout[-2000:] + done.stderr[-1000:])
            expect(re.search(r"^#[1-9]\d* .*(main|start_thread|clone3?) ", done.stdout, re.M), "the way out: " + done.stdout[-2000:])
            expect(re.search(r"^ +hot:fib/1 +\S*hot.erl:13", done.stdout, re.M), "the Erlang stack: " + done.stdout[-2000:])
        finally:
            child.kill()
            child.wait()

    def test_traced_code(self):
        """Once a breakpoint is gone its function is compiled again, and so is what had to do without it."""
        for flags in [["--jit-threshold", "50"], ["--jit-eager", "--jit-only", "warm", "+S", "1"]]:
            done = self.run(flags, ", ".join(
                "warm:traced(%s, %s)" % (pattern, kind)
                for pattern in ["{warm, small, 1}", "{warm, '_', '_'}"] for kind in ["local", "meta", "call_count", "call_time"])
                + ", io:format(\"fine\")")
            expect(done.stdout == "fine", done.stdout + done.stderr)

    def test_changing_storm(self):
        """Ever new code, whose funs are passed around: funs, literals, functions and native code of the old go."""
        notes = []
        for flags in [[], ["+S", "1"]]:
            done = self.run(["--jit-threshold", "50"] + flags, "changing_storm:main(%d)" % (self.reloads // 2), limit=900)
            expect(done.stdout.startswith("ok"), done.stdout + done.stderr)
            notes.append(done.stdout.strip())
        return notes[-1]

    def test_reload_storm(self):
        done = self.run(["--jit-threshold", "50"], "reload_storm:main(%d)" % self.reloads, limit=900)
        expect(done.stdout.startswith("ok"), done.stdout + done.stderr)
        return done.stdout.strip()


def main():
    enigma = os.path.abspath(sys.argv[1])
    reloads = int(sys.argv[sys.argv.index("--reloads") + 1]) if "--reloads" in sys.argv else 200
    only = [a for a in sys.argv[2:] if a.startswith("test_")]
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/hot.erl", "w") as file:
            file.write(HOT)
        with open(folder + "/warm.erl", "w") as file:
            file.write(WARM)
        subprocess.run(["erlc", "-o", folder] + [folder + "/" + name for name in ["hot.erl", "warm.erl"]]
                       + [HERE + "/reload_storm.erl", HERE + "/changing_storm.erl"], check=True)
        tests = Tests(enigma, reloads, folder)
        for name in [n for n in dir(Tests) if n.startswith("test_") and (not only or n in only)]:
            try:
                note = getattr(tests, name)()
                passed += 1
                print("ok    %s%s" % (name, ": " + note if note else ""), flush=True)
            except (Failure, OSError, subprocess.SubprocessError) as problem:
                failed += 1
                print("WRONG %s: %s" % (name, problem), flush=True)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
