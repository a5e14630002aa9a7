%% os_tests: module os and the calendar functions of erlang.
-module(os_tests).
-export([tests/0]).

tests() ->
    [{environment, fun environment/0},
     {environment_errors, fun environment_errors/0},
     {environment_of_children, fun environment_of_children/0},
     {clock, fun clock/0},
     {pid, fun pid/0},
     {cmd, fun cmd/0},
     {executables, fun executables/0},
     {set_signal, fun set_signal/0},
     {signals, fun signals/0},
     {posix_time, fun posix_time/0},
     {local_time, fun local_time/0},
     {drivers, fun drivers/0}].

outcome(Fun) ->
    try Fun() of
        Value -> {value, Value}
    catch
        Class:Reason -> {Class, Reason}
    end.

environment() ->
    [os:getenv("ENIGMA_T"), os:putenv("ENIGMA_T", "one"), os:getenv("ENIGMA_T"), os:putenv("ENIGMA_T", "två"),
     os:getenv("ENIGMA_T"), lists:keyfind("ENIGMA_T", 1, os:env()), lists:member("ENIGMA_T=två", os:getenv()),
     os:unsetenv("ENIGMA_T"), os:getenv("ENIGMA_T"), os:unsetenv("ENIGMA_T"), os:getenv("ENIGMA_T", default),
     os:putenv("ENIGMA_T", ""), os:getenv("ENIGMA_T"), os:unsetenv(["ENIGMA", "_T"]),
     begin L = [K || {K, _} <- os:env()], lists:usort(L) =:= lists:sort(L) end].

environment_errors() ->
    [outcome(F)
     || F <- [fun() -> os:getenv(foo) end, fun() -> os:getenv("") end, fun() -> os:getenv("A=B") end,
              fun() -> os:getenv(<<"PATH">>) end, fun() -> os:getenv([0]) end, fun() -> os:putenv("A=", "x") end,
              fun() -> os:putenv("ENIGMA_U", foo) end, fun() -> os:putenv("ENIGMA_U", [0]) end,
              fun() -> os:putenv("ENIGMA_U", "a=b") end, fun() -> os:getenv("ENIGMA_U") end,
              fun() -> os:unsetenv("ENIGMA_U") end, fun() -> os:unsetenv(17) end,
              fun() -> os:getenv(["PA" | "TH"]) =:= os:getenv("PATH") end, fun() -> os:getenv([$A | $B]) end]].

environment_of_children() ->
    os:putenv("ENIGMA_V", "seen"),
    R = os:cmd("echo $ENIGMA_V"),
    os:unsetenv("ENIGMA_V"),
    {R, os:cmd("echo $ENIGMA_V")}.

clock() ->
    {Mega, Sec, Micro} = os:timestamp(),
    S = os:system_time(),
    [is_integer(Mega + Sec + Micro), abs(os:system_time(second) - (Mega * 1000000 + Sec)) =< 2,
     abs(S div 1000000000 - os:system_time(second)) =< 2,
     os:system_time(millisecond) div 1000 - os:system_time(seconds) =< 1,
     [outcome(fun() -> os:system_time(U) end) || U <- [foo, 0, -1, 1.0, "x"]],
     is_integer(os:system_time(10)), is_integer(os:perf_counter()),
     is_integer(os:perf_counter(microsecond)),
     begin A = os:perf_counter(), B = os:perf_counter(), B >= A end].

pid() -> [C || C <- os:getpid(), C < $0 orelse C > $9].

cmd() ->
    [os:cmd("echo hi"), os:cmd("exit 3"), os:cmd("printf 'å'"), os:cmd("echo err >&2"), os:cmd(""),
     os:cmd("cat", #{max_size => 3}), os:cmd("printf 123456", #{max_size => 3}),
     outcome(fun() -> os:cmd(17) end), os:cmd("seq 1 20000 | tail -1"),
     os:cmd("/nonexistent/x 2>/dev/null; echo $?")].

executables() ->
    [is_list(os:find_executable("sh")), os:find_executable("no_such_program"), os:find_executable("/bin/sh"),
     os:find_executable("sh", "/nowhere:/bin")].

set_signal() ->
    [outcome(fun() -> os:set_signal(S, O) end)
     || {S, O} <- [{sighup, ignore}, {sighup, default}, {sigusr2, handle}, {sigusr2, default}, {sigfoo, ignore},
                   {sigint, ignore}, {sighup, foo}, {17, ignore}, {sigtstp, default}]].

%% A signal to ourselves reaches the process named erl_signal_server.
signals() ->
    Old = whereis(erl_signal_server),
    is_pid(Old) andalso unregister(erl_signal_server),
    register(erl_signal_server, self()),
    os:set_signal(sigusr2, handle),
    os:cmd("kill -USR2 " ++ os:getpid()),
    R = receive {notify, What} -> What after 5000 -> nothing end,
    os:set_signal(sigusr2, default),
    unregister(erl_signal_server),
    is_pid(Old) andalso register(erl_signal_server, Old),
    R.

posix_time() ->
    [[outcome(fun() -> erlang:posixtime_to_universaltime(T) end)
      || T <- [0, -1, 1, 86399, 86400, 951782400, 1709164800, 4102444800, -62167219200, -2208988800, 253402300800,
               1 bsl 40, 1 bsl 59, -(1 bsl 40), 1 bsl 62, 1 bsl 64, a, 1.0]],
     [outcome(fun() -> erlang:universaltime_to_posixtime(T) end)
      || T <- [{{1970, 1, 1}, {0, 0, 0}}, {{1969, 12, 31}, {23, 59, 59}}, {{2000, 2, 29}, {1, 2, 3}},
               {{1900, 2, 29}, {0, 0, 0}}, {{1600, 1, 1}, {0, 0, 0}}, {{1599, 1, 1}, {0, 0, 0}},
               {{2038, 1, 19}, {3, 14, 8}}, {{9999, 12, 31}, {23, 59, 59}}, {{2001, 13, 1}, {0, 0, 0}},
               {{2001, 1, 1}, {24, 0, 0}}, {{2001, 1, 1}, {0, 0, 60}}, {{2001, 1}, {0, 0, 0}}, foo,
               {{1 bsl 40, 1, 1}, {0, 0, 0}}, {{2147483646, 1, 1}, {0, 0, 0}}, {{2001, 4, 31}, {0, 0, 0}}]],
     [erlang:universaltime_to_posixtime(erlang:posixtime_to_universaltime(D * 86400 + D)) =:= D * 86400 + D
      || D <- [0, 59, 60, 365, 366, 10957, 11016, 11017, 18321, 18322, 40000, -100000]]].

local_time() ->
    T = {{2020, 6, 15}, {12, 0, 0}},
    L = erlang:universaltime_to_localtime(T),
    [erlang:localtime_to_universaltime(L) =:= T, erlang:localtime_to_universaltime(L, undefined) =:= T,
     tuple_size(erlang:localtime()), tuple_size(date()), tuple_size(time()), tuple_size(erlang:universaltime()),
     [outcome(fun() -> erlang:universaltime_to_localtime(X) end)
      || X <- [{{1901, 1, 1}, {0, 0, 0}}, {{2001, 2, 29}, {0, 0, 0}}, foo, {{2001, 1, 1}, {0, 0}}]],
     [outcome(fun() -> erlang:localtime_to_universaltime({{2001, 1, 1}, {0, 0, 0}}, X) end) || X <- [foo, 1]],
     calendar:datetime_to_gregorian_seconds(erlang:universaltime()) > 63000000000].

drivers() ->
    [erl_ddll:loaded_drivers(), erl_ddll:try_load("/nonexistent", "foo", []), erl_ddll:try_unload("foo", []),
     erl_ddll:try_load("/nonexistent", "tty_sl", []), erl_ddll:try_unload("tty_sl", []),
     [outcome(fun() -> erl_ddll:info("foo", I) end) || I <- [processes, foo]],
     [outcome(fun() -> erl_ddll:info("tty_sl", I) end) || I <- [processes, permanent, linked_in_driver, foo]],
     [outcome(fun() -> erl_ddll:format_error_int(R) end) || R <- [inconsistent, permanent, not_loaded, foo]]].
