%% port_tests: ports of child processes, their options and signals, and datagram sockets.
-module(port_tests).
-export([tests/0]).

tests() ->
    [{spawn_output, fun spawn_output/0},
     {exit_status, fun exit_status/0},
     {lines, fun lines/0},
     {packets, fun packets/0},
     {eof, fun eof/0},
     {no_eof, fun no_eof/0},
     {echo, fun echo/0},
     {big_output, fun big_output/0},
     {executable, fun executable/0},
     {environment, fun environment/0},
     {directory, fun directory/0},
     {standard_error, fun standard_error/0},
     {open_errors, fun open_errors/0},
     {closing, fun closing/0},
     {owner_messages, fun owner_messages/0},
     {bad_signal, fun bad_signal/0},
     {connect, fun connect/0},
     {owner_exit, fun owner_exit/0},
     {exit_signal, fun exit_signal/0},
     {monitors, fun monitors/0},
     {names, fun names/0},
     {info, fun info/0},
     {data, fun data/0},
     {closed_port, fun closed_port/0},
     {broken_pipe, fun broken_pipe/0},
     {descriptors, fun descriptors/0},
     {inherited, fun inherited/0},
     {datagrams, fun datagrams/0},
     {datagram_requests, fun datagram_requests/0}].

outcome(Fun) ->
    try Fun() of
        Value -> {value, Value}
    catch
        Class:Reason -> {Class, Reason}
    end.

%% Data in one piece, and the other messages, of a port until it ends or is silent.
collect(P) -> collect(P, [], []).

collect(P, Data, Rest) ->
    receive
        {P, {data, D}} when is_list(D); is_binary(D) -> collect(P, [Data, D], Rest);
        {P, {exit_status, _} = S} -> collect(P, Data, [S | Rest]);
        {P, What} -> collect(P, Data, [What | Rest]);
        {'EXIT', P, R} -> {iolist_to_binary(Data), lists:reverse([{'EXIT', R} | Rest])}
    after 3000 -> {iolist_to_binary(Data), lists:reverse([silent | Rest])}
    end.

%% Runs Fun in a process of its own that traps exits.
apart(Fun) ->
    {Pid, Ref} = spawn_monitor(fun() -> process_flag(trap_exit, true), exit({result, outcome(Fun)}) end),
    receive
        {'DOWN', Ref, process, Pid, {result, R}} -> R;
        {'DOWN', Ref, process, Pid, Other} -> {died, Other}
    end.

spawn_output() ->
    apart(fun() ->
                  [collect(open_port({spawn, C}, O))
                   || {C, O} <- [{"echo hi", []}, {"printf 'a b'", [binary]}, {"echo 'x  y' | tr x z", []},
                                 {"printf '\\303\\245'", []}, {'echo atom', []}, {<<"echo binary">>, []},
                                 {"true", [in]}]]
          end).

exit_status() ->
    apart(fun() ->
                  [collect(open_port({spawn, C}, [exit_status | O]))
                   || {C, O} <- [{"echo hi; exit 3", []}, {"sh -c 'exit 3'", []}, {"sh -c 'kill -9 $$'", []},
                                 {"no_such_command 2>/dev/null", [stderr_to_stdout]}, {"false", [out]}]]
          end).

lines() ->
    apart(fun() ->
                  [all(open_port({spawn, "printf 'one\\ntwo three\\n\\nlast'"}, O))
                   || O <- [[{line, 100}], [{line, 5}, binary], [line, exit_status], [{line, 3}]]]
          end).

all(P) ->
    receive
        {P, What} -> [What | all(P)];
        {'EXIT', P, R} -> [{'EXIT', R}]
    after 500 -> [silent]
    end.

packets() ->
    apart(fun() ->
                  [begin
                       P = open_port({spawn, "cat"}, [{packet, N}, binary]),
                       port_command(P, "one"),
                       port_command(P, ["tw", <<"o">>]),
                       port_command(P, ""),
                       port_command(P, binary:copy(<<"x">>, 200)),
                       R = [receive {P, {data, D}} -> D after 3000 -> none end || _ <- [1, 2, 3, 4]],
                       T = port_command(P, binary:copy(<<"x">>, 70000)),
                       L = receive
                               {P, {data, B}} -> byte_size(B);
                               {'EXIT', P, Reason} -> {'EXIT', Reason}
                           after 3000 -> none
                           end,
                       catch port_close(P),
                       {R, T, L}
                   end || N <- [1, 2, 4]]
          end).

eof() ->
    apart(fun() ->
                  P = open_port({spawn, "printf x"}, [eof]),
                  A = all(P),
                  B = erlang:port_info(P, connected) =:= {connected, self()},
                  Q = open_port({spawn, "printf x"}, [eof, exit_status, {line, 10}]),
                  {A, B, port_close(P), all(Q), port_close(Q)}
          end).

no_eof() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, [in, eof, exit_status]),
                  R = receive {P, X} -> X after 200 -> none end,
                  {R, port_close(P)}
          end).

echo() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, [stream]),
                  [begin
                       true = port_command(P, D),
                       receive {P, {data, E}} -> E after 3000 -> none end
                   end || D <- ["a", [<<"b">>, "c"], "å", lists:seq(0, 255)]]
                      ++ [outcome(fun() -> port_command(P, D) end) || D <- [a, [a], [1000], <<1:3>>]]
                      ++ [outcome(fun() -> port_command(P, "x", O) end)
                          || O <- [[nosuspend], [force], [foo], foo]]
                      ++ [port_close(P)]
          end).

big_output() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, [binary]),
                  Big = binary:copy(<<"0123456789">>, 50000),
                  true = port_command(P, Big),
                  R = gather(P, byte_size(Big), []),
                  port_close(P),
                  R =:= Big
          end).

gather(_, N, Acc) when N =< 0 -> iolist_to_binary(Acc);
gather(P, N, Acc) ->
    receive {P, {data, D}} -> gather(P, N - byte_size(D), [Acc, D]) after 5000 -> timeout end.

executable() ->
    apart(fun() ->
                  [collect(open_port({spawn_executable, F}, [exit_status | O]))
                   || {F, O} <- [{"/bin/echo", [{args, ["a b", <<"c">>, "å"]}]}, {"/bin/echo", []},
                                 {"/bin/sh", [{args, ["-c", "echo $0 $1", "zero", "one"]}]},
                                 {"/bin/sh", [{arg0, "name"}, {args, ["-c", "echo $0"]}]},
                                 {<<"/bin/echo">>, [{args, ["x"]}]}]]
          end).

environment() ->
    apart(fun() ->
                  os:putenv("ENIGMA_P", "global"),
                  R = [collect(open_port({spawn, "sh -c 'echo $ENIGMA_P-$ENIGMA_Q'"}, O))
                       || O <- [[], [{env, [{"ENIGMA_P", "local"}]}], [{env, [{"ENIGMA_P", false}, {"ENIGMA_Q", "q=1"}]}],
                                [{env, [{"ENIGMA_P", "å"}]}]]],
                  os:unsetenv("ENIGMA_P"),
                  R ++ [outcome(fun() -> open_port({spawn, "true"}, [{env, E}]) end)
                        || E <- [foo, [foo], [{"A", foo}], [{"A=B", "c"}], [{foo, "x"}]]]
          end).

directory() ->
    apart(fun() ->
                  [collect(open_port({spawn, "pwd"}, [exit_status, {cd, D}]))
                   || D <- ["/", <<"/usr">>, "/nonexistent"]]
                      ++ [outcome(fun() -> open_port({spawn, "pwd"}, [{cd, D}]) end) || D <- [17, [a]]]
          end).

standard_error() ->
    apart(fun() ->
                  [collect(open_port({spawn, "sh -c 'echo out; echo err >&2'"}, [stderr_to_stdout])),
                   outcome(fun() -> open_port({spawn, "true"}, [stderr_to_stdout, nouse_stdio]) end)]
          end).

open_errors() ->
    apart(fun() ->
                  [outcome(fun() -> open_port(N, O) end)
                   || {N, O} <- [{{spawn, "ls"}, [foo]}, {{spawn, "ls"}, foo}, {{spawn, "ls"}, [in | out]},
                                 {{spawn, ""}, []}, {{spawn, 17}, []}, {{spawn, "a", b}, []}, {{foo, "a"}, []},
                                 {{}, []}, {17, []}, {{spawn_executable, "/nonexistent"}, []},
                                 {{spawn_executable, "/etc/passwd"}, []}, {{spawn_driver, "foo"}, []},
                                 {{spawn, "ls"}, [{packet, 3}]}, {{spawn, "ls"}, [{line, 0}]},
                                 {{spawn, "ls"}, [{line, 5}, {packet, 2}]}, {{spawn, "ls"}, [{args, ["a"]}]},
                                 {{spawn_executable, "/bin/ls"}, [{args, [17]}]},
                                 {{spawn_executable, "/bin/ls"}, [{args, foo}]}, {{fd, a, b}, []},
                                 {{fd, 0, 1}, [exit_status]}, {{spawn, "ls"}, [{parallelism, foo}]},
                                 {{spawn, "ls"}, [{busy_limits_port, foo}]}, {{spawn, [0]}, []}]]
          end).

closing() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  Q = open_port({spawn, "cat"}, []),
                  R = open_port({spawn, "cat"}, []),
                  Q ! {self(), close},
                  unlink(R),
                  {port_close(P), all(P), all(Q), port_close(R), all(R)}
          end).

owner_messages() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  P ! {self(), {command, "hello"}},
                  A = receive {P, D} -> D after 3000 -> none end,
                  P ! {self(), {connect, self()}},
                  B = receive {P, C} -> C after 3000 -> none end,
                  P ! {self(), close},
                  {A, B, all(P), element(2, P ! {self(), close})}
          end).

bad_signal() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  [begin
                       P ! M,
                       receive {'EXIT', P, R} -> R after 500 -> nothing end
                   end || M <- [foo, {self(), foo}, {whereis(init), close}, {self(), {command, a}}]]
          end).

connect() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  Self = self(),
                  Other = spawn_link(fun() ->
                                             receive {P, D} -> Self ! {other, D} after 3000 -> Self ! {other, none} end,
                                             receive stop -> ok end
                                     end),
                  true = port_connect(P, Other),
                  {connected, C} = erlang:port_info(P, connected),
                  {links, L} = erlang:port_info(P, links),
                  port_command(P, "x"),
                  A = receive {other, D} -> D end,
                  unlink(P),
                  {links, L2} = erlang:port_info(P, links),
                  {C =:= Other, lists:sort(L) =:= lists:sort([self(), Other]), A, L2 =:= [Other],
                   outcome(fun() -> port_connect(P, foo) end), port_close(P)}
          end).

owner_exit() ->
    apart(fun() ->
                  Self = self(),
                  [begin
                       {Pid, Ref} = spawn_monitor(fun() ->
                                                          P = open_port({spawn, "cat"}, []),
                                                          Self ! {port, P},
                                                          exit(Reason)
                                                  end),
                       P = receive {port, X} -> X end,
                       receive {'DOWN', Ref, process, Pid, _} -> ok end,
                       gone(P, 50)
                   end || Reason <- [normal, foo, kill]]
          end).

gone(_, 0) -> still_there;
gone(P, N) ->
    case erlang:port_info(P) of
        undefined -> gone;
        _ -> timer:sleep(20), gone(P, N - 1)
    end.

exit_signal() ->
    apart(fun() ->
                  [begin
                       P = open_port({spawn, "cat"}, []),
                       exit(P, Reason),
                       receive {'EXIT', P, R} -> {R, erlang:port_info(P)} after 500 -> {nothing, erlang:port_info(P, input)} end
                   end || Reason <- [foo, normal, kill, {tuple, [1]}]]
          end).

monitors() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  Ref = monitor(port, P),
                  {monitored_by, By} = erlang:port_info(P, monitored_by),
                  Ref2 = monitor(port, P),
                  true = demonitor(Ref2),
                  {monitored_by, By2} = erlang:port_info(P, monitored_by),
                  unlink(P),
                  port_close(P),
                  A = receive {'DOWN', Ref, port, P, R} -> R after 500 -> none end,
                  Ref3 = monitor(port, P),
                  B = receive {'DOWN', Ref3, port, P, R2} -> R2 after 500 -> none end,
                  {By =:= [self()], By2 =:= [self()], A, B}
          end).

names() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  R = [register(enigma_port, P), whereis(enigma_port) =:= P, outcome(fun() -> register(enigma_port2, P) end),
                       erlang:port_info(enigma_port, registered_name), port_command(enigma_port, "x"),
                       receive {P, D} -> D after 3000 -> none end,
                       hd(erlang:port_info(P)), unregister(enigma_port), whereis(enigma_port),
                       erlang:port_info(P, registered_name), register(enigma_port, P), port_close(P),
                       whereis(enigma_port)],
                  R
          end).

info() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  port_command(P, "abc"),
                  receive {P, _} -> ok end,
                  Items = [name, connected, links, input, output, monitors, monitored_by, registered_name, queue_size,
                           parallelism, locking],
                  Me = self(),
                  Hide = fun({connected, X}) when X =:= Me -> connected;
                            ({links, [X]}) when X =:= Me -> links;
                            (X) -> X
                         end,
                  {os_pid, Os} = erlang:port_info(P, os_pid),
                  {id, Id} = erlang:port_info(P, id),
                  R = {[Hide(erlang:port_info(P, I)) || I <- Items], is_integer(Os), is_integer(Id),
                       [K || {K, _} <- erlang:port_info(P)], lists:member(P, erlang:ports()),
                       [outcome(fun() -> erlang:port_info(P, I) end) || I <- [foo, 17]],
                       [outcome(fun() -> erlang:port_info(X) end) || X <- [foo, 17, self()]]},
                  port_close(P),
                  {R, erlang:port_info(P), erlang:port_info(P, name), lists:member(P, erlang:ports())}
          end).

data() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  [outcome(fun() -> erlang:port_get_data(P) end), erlang:port_set_data(P, {a, "term", 1.5}),
                   erlang:port_get_data(P), erlang:port_set_data(P, 17), erlang:port_get_data(P), port_close(P),
                   outcome(fun() -> erlang:port_get_data(P) end),
                   outcome(fun() -> erlang:port_set_data(foo, 1) end)]
          end).

closed_port() ->
    apart(fun() ->
                  P = open_port({spawn, "cat"}, []),
                  port_close(P),
                  [outcome(F)
                   || F <- [fun() -> port_close(P) end, fun() -> port_command(P, "x") end,
                            fun() -> port_control(P, 1, "") end, fun() -> port_connect(P, self()) end,
                            fun() -> erlang:port_call(P, 1, foo) end, fun() -> P ! {self(), {command, "x"}} =:= ok end,
                            fun() -> port_close(foo) end, fun() -> port_control(foo, 1, "") end,
                            fun() -> unlink(P) end]]
          end).

broken_pipe() ->
    apart(fun() ->
                  P = open_port({spawn, "true"}, [out]),
                  flood(P, 100)
          end).

flood(_, 0) -> nothing;
flood(P, N) ->
    catch port_command(P, "xxxx"),
    receive {'EXIT', P, R} -> R after 20 -> flood(P, N - 1) end.

descriptors() ->
    apart(fun() ->
                  P = open_port({spawn, "sh -c 'cat <&3 >&4'"}, [nouse_stdio, binary]),
                  port_command(P, "through 3 and 4"),
                  R = receive {P, {data, D}} -> D after 3000 -> none end,
                  port_close(P),
                  R
          end).

%% A child sees no other descriptors than its own.
inherited() ->
    apart(fun() ->
                  {ok, _} = file:open("/dev/null", [raw, read]),
                  {Out, _} = collect(open_port({spawn, "sh -c 'ls /proc/self/fd | tr \"\\n\" \" \"'"}, [binary])),
                  Out
          end).

datagrams() ->
    {ok, U} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]),
    {ok, N} = inet:port(U),
    Get = fun() -> receive {udp, U, IP, Port, D} -> {IP, Port =:= N, D}; {udp_passive, U} -> passive after 2000 -> none end end,
    Send = fun(D) -> gen_udp:send(U, {127, 0, 0, 1}, N, D) end,
    A = [Send("hej"), Get(), inet:setopts(U, [{active, false}]), Send(["a", <<"b">>]),
         setelement(2, element(2, gen_udp:recv(U, 0, 2000)), port), gen_udp:recv(U, 0, 50),
         inet:setopts(U, [{active, once}, binary]), Send("c"), Get(), inet:getopts(U, [active, mode]),
         inet:setopts(U, [{active, 2}]), Send("d"), Send("e"), Get(), Get(), Get(),
         inet:setopts(U, [{active, true}, {header, 2}]), Send("header"), Get(), inet:getstat(U, [recv_cnt, send_oct]),
         inet:sockname(U) =:= {ok, {{127, 0, 0, 1}, N}}, inet:peername(U), gen_udp:connect(U, {127, 0, 0, 1}, N),
         gen_udp:send(U, "connected"), Get(), inet:peername(U) =:= {ok, {{127, 0, 0, 1}, N}}],
    B = gen_udp:open(N, [{ip, {127, 0, 0, 1}}]),
    {A, B, gen_udp:close(U), outcome(fun() -> Send("x") end)}.

datagram_requests() ->
    {ok, U} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]),
    R = [inet:getopts(U, [O]) || O <- [active, mode, header, read_packets, reuseaddr, broadcast, priority, tos, deliver,
                                       linger, keepalive, dontroute, high_msgq_watermark, low_msgq_watermark]],
    S = [inet:setopts(U, [O]) || O <- [{broadcast, true}, {reuseaddr, true}, {tos, 16}, {buffer, 5000}, {foo, 1},
                                       {active, 40000}]],
    T = [inet:getopts(U, [broadcast, reuseaddr, tos, buffer]), prim_inet:getstatus(U), prim_inet:gettype(U),
         is_tuple(inet:gethostname())],
    Q = [erlang:port_control(U, 16#03F1A300 + N, []) || N <- [2, 2, 4, 5, 6, 12 - 4, 24, 60, 99]],
    gen_udp:close(U),
    {R, S, T, Q}.
