%% The heap of a process as programs see it: sizes, collections, limits, options, and where a process stands. Not for modes
%% that collect more often than usual.
-module(memory_tests).
-export([tests/0, hold/1, waiter/1, log/2]).

tests() ->
    %% Reports of the VM come at their own time.
    logger:set_primary_config(level, none),
    [{{fresh, N}, fun() -> fresh(N) end} || N <- [0, 1, 233, 234, 1000, 5000, 100000]] ++
    [{fresh_with_arguments, fun fresh_with_arguments/0},
     {growth_list, fun() -> growth(fun list_step/2, 22) end},
     {growth_tuples, fun() -> growth(fun tuple_step/2, 14) end},
     {growth_and_drop, fun growth_and_drop/0},
     {stack_growth, fun stack_growth/0},
     {minor_count, fun minor_count/0},
     {fullsweep_zero, fun fullsweep_zero/0},
     {collect_major, fun() -> collected(fun() -> garbage_collect() end) end},
     {collect_options, fun collect_options/0},
     {collect_other, fun collect_other/0},
     {collect_dead, fun collect_dead/0},
     {collect_badarg, fun collect_badarg/0},
     {hibernated, fun hibernated/0},
     {flags, fun flags/0},
     {flags_badarg, fun flags_badarg/0},
     {spawn_options, fun spawn_options/0},
     {spawn_badarg, fun spawn_badarg/0},
     {max_heap_kill, fun() -> max_heap(#{size => 5000, error_logger => false}) end},
     {max_heap_number, fun() -> max_heap(5000) end},
     {max_heap_no_kill, fun() -> max_heap(#{size => 5000, kill => false, error_logger => false}) end},
     {max_heap_flag, fun max_heap_flag/0},
     {max_heap_message, fun max_heap_message/0},
     {max_heap_report, fun max_heap_report/0},
     {system_flags, fun system_flags/0},
     {binary_list, fun binary_list/0},
     {binary_released, fun binary_released/0},
     {append_shrinks, fun append_shrinks/0},
     {virtual_binary_heap, fun virtual_binary_heap/0},
     {queue_data, fun queue_data/0},
     {queue_length, fun queue_length/0},
     {info_keys, fun info_keys/0},
     {memory_keys, fun memory_keys/0},
     {memory_sums, fun memory_sums/0},
     {memory_badarg, fun() -> [catch_class(fun() -> erlang:memory(K) end) || K <- [nothing, [total, nothing], 1]] end},
     {where_waiting, fun where_waiting/0},
     {where_hibernating, fun where_hibernating/0},
     {where_suspended, fun where_suspended/0},
     {where_own, fun where_own/0},
     {where_fresh, fun where_fresh/0},
     {where_call, fun where_call/0},
     {backtrace_waiting, fun backtrace_waiting/0},
     {backtrace_own, fun backtrace_own/0},
     {backtrace_arguments, fun backtrace_arguments/0},
     {process_display, fun process_display/0}].

catch_class(Fun) -> try Fun() catch C:R -> {C, R} end.

%% Runs Fun in a process made with Options, and answers its result.
in_process(Fun, Options) ->
    {Pid, Monitor} = spawn_opt(fun() -> exit({result, Fun()}) end, [monitor | Options]),
    receive
        {'DOWN', Monitor, process, Pid, {result, Result}} -> Result;
        {'DOWN', Monitor, process, Pid, Reason} -> {died, Reason}
    end.

%% Without the stack and what depends on how the process came to be.
blocks() ->
    {_, L} = process_info(self(), garbage_collection_info),
    [{K, V} || {K, V} <- L, lists:member(K, [heap_block_size, old_heap_block_size, mbuf_size])].

fresh(N) -> in_process(fun() -> {blocks(), process_info(self(), [min_heap_size, heap_size])} end, [{min_heap_size, N}]).

hold(_) -> receive stop -> ok end.

fresh_with_arguments() ->
    [begin
         Pid = spawn(?MODULE, hold, [lists:seq(1, N)]),
         Info = process_info(Pid, [heap_size, total_heap_size]),
         exit(Pid, kill),
         Info
     end || N <- [1, 50, 100, 110, 115, 117, 200, 1000, 5000]].

list_step(I, Acc) -> [I | Acc].
tuple_step(I, Acc) -> {I, Acc, Acc}.

%% The sizes that a heap goes through while it doubles what it holds.
growth(Step, Doublings) ->
    in_process(fun() -> growth(Step, [], 0, 1, Doublings, []) end, []).

growth(_, Acc, _, _, 0, Seen) -> {erts_debug:flat_size(length([Acc])), lists:reverse(Seen)};
growth(Step, Acc, I, N, Left, Seen) ->
    Acc1 = repeat(Step, Acc, I, N),
    {_, Size} = process_info(self(), heap_size),
    Seen1 = case Seen of [Size | _] -> Seen; _ -> [Size | Seen] end,
    growth(Step, Acc1, I + N, N * 2, Left - 1, Seen1).

repeat(_, Acc, _, 0) -> Acc;
repeat(Step, Acc, I, N) -> repeat(Step, Step(I, Acc), I + 1, N - 1).

growth_and_drop() ->
    in_process(fun() ->
        A = lists:seq(1, 100000),
        S1 = length(A),
        garbage_collect(),
        B1 = blocks(),
        garbage_collect(),
        {S1, B1, blocks()}
    end, []).

deep(0) -> {_, S} = process_info(self(), heap_size), S;
deep(N) -> S = deep(N - 1), id(S).
id(X) -> X.

stack_growth() -> in_process(fun() -> [deep(N) || N <- [10, 100, 1000, 10000, 100000, 10]] end, []).

minor_gcs() ->
    {_, L} = process_info(self(), garbage_collection),
    proplists:get_value(minor_gcs, L).

minor_count() ->
    in_process(fun() ->
        garbage_collect(),
        A = minor_gcs(),
        erlang:garbage_collect(self(), [{type, minor}]),
        B = minor_gcs(),
        erlang:garbage_collect(self(), [{type, minor}]),
        C = minor_gcs(),
        garbage_collect(),
        {A, B, C, minor_gcs()}
    end, []).

fullsweep_zero() ->
    in_process(fun() ->
        L = lists:seq(1, 10000),
        {length(L), minor_gcs(), proplists:get_value(old_heap_block_size, blocks())}
    end, [{fullsweep_after, 0}]).

collected(Fun) ->
    in_process(fun() -> _ = lists:seq(1, 50000), Fun(), {blocks(), minor_gcs()} end, []).

collect_options() ->
    Self = self(),
    A = erlang:garbage_collect(Self, []),
    B = erlang:garbage_collect(Self, [{type, major}]),
    C = erlang:garbage_collect(Self, [{type, minor}]),
    D = erlang:garbage_collect(Self, [{async, here}]),
    E = receive {garbage_collect, here, R} -> R after 5000 -> none end,
    {A, B, C, D, E}.

collect_other() ->
    Pid = spawn(?MODULE, hold, [lists:seq(1, 1000)]),
    A = erlang:garbage_collect(Pid),
    B = erlang:garbage_collect(Pid, [{async, there}, {type, minor}]),
    C = receive {garbage_collect, there, R} -> R after 5000 -> none end,
    {_, Size} = process_info(Pid, heap_size),
    exit(Pid, kill),
    {A, B, C, Size}.

collect_dead() ->
    {Pid, M} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', M, _, _, _} -> ok end,
    A = erlang:garbage_collect(Pid),
    B = erlang:garbage_collect(Pid, [{async, gone}]),
    C = receive {garbage_collect, gone, R} -> R after 5000 -> none end,
    {A, B, C}.

collect_badarg() ->
    [catch_class(fun() -> erlang:garbage_collect(P, O) end)
     || {P, O} <- [{x, []}, {self(), x}, {self(), [x]}, {self(), [{type, x}]}, {self(), [{type, minor} | x]}]].

waiter(Parent) -> receive {Parent, stop} -> Parent ! stopped end.

hibernated() ->
    Pid = spawn(fun() -> L = lists:seq(1, 10000), erlang:hibernate(?MODULE, waiter, [L]) end),
    wait_until(fun() -> process_info(Pid, current_function) =:= {current_function, {erlang, hibernate, 3}} end),
    Info = process_info(Pid, [heap_size, total_heap_size, stack_size, status, message_queue_len, current_function]),
    exit(Pid, kill),
    Info.

wait_until(Fun) -> wait_until(Fun, 500).
wait_until(_, 0) -> timeout;
wait_until(Fun, N) ->
    case Fun() of
        true -> ok;
        false -> receive after 10 -> ok end, wait_until(Fun, N - 1)
    end.

flags() ->
    in_process(fun() ->
        [{F, V, process_flag(F, V), info(F)}
         || {F, V} <- [{min_heap_size, 1}, {min_heap_size, 234}, {min_heap_size, 5000}, {min_heap_size, 0},
                       {min_bin_vheap_size, 1}, {min_bin_vheap_size, 46423}, {min_bin_vheap_size, 100000},
                       {fullsweep_after, 0}, {fullsweep_after, 7}, {fullsweep_after, 65535}, {fullsweep_after, 100000},
                       {max_heap_size, 100000}, {max_heap_size, #{size => 0}},
                       {max_heap_size, #{size => 90000, kill => false}},
                       {max_heap_size, #{size => 0, kill => true, error_logger => false}},
                       {message_queue_data, off_heap}, {message_queue_data, on_heap}, {message_queue_data, on_heap},
                       {priority, high}, {priority, normal}]]
    end, []).

info(F) -> process_info(self(), F).

flags_badarg() ->
    [catch_class(fun() -> process_flag(F, V) end)
     || {F, V} <- [{min_heap_size, -1}, {min_heap_size, a}, {min_bin_vheap_size, -1}, {fullsweep_after, -1},
                   {fullsweep_after, 1 bsl 70}, {max_heap_size, -1}, {max_heap_size, 1}, {max_heap_size, a},
                   {max_heap_size, #{}}, {max_heap_size, #{size => -1}}, {max_heap_size, #{size => 1}},
                   {max_heap_size, #{size => 50000, kill => 1}}, {max_heap_size, #{size => 50000, other => 1}},
                   {message_queue_data, x}, {message_queue_data, mixed}, {priority, x}, {save_calls, -1},
                   {save_calls, 100000}, {no_flag, 1}, {1, 1}]].

spawn_options() ->
    Items = [min_heap_size, min_bin_vheap_size, max_heap_size, fullsweep_after, message_queue_data, priority],
    [in_process(fun() -> process_info(self(), Items) end, O)
     || O <- [[], [{min_heap_size, 500}], [{min_bin_vheap_size, 50000}], [{fullsweep_after, 3}],
              [{max_heap_size, 60000}], [{max_heap_size, #{size => 60000, kill => false, error_logger => false}}],
              [{message_queue_data, off_heap}], [{priority, low}], [{fullsweep_after, 100000}]]].

spawn_badarg() ->
    [catch_class(fun() -> spawn_opt(fun() -> ok end, [O]) end)
     || O <- [{min_heap_size, -1}, {min_heap_size, a}, {fullsweep_after, -1}, {max_heap_size, 1}, {max_heap_size, x},
              {message_queue_data, mixed}, {priority, x}, {x, y}, x]].

max_heap(Limit) ->
    {Pid, Monitor} = spawn_opt(fun() -> L = lists:seq(1, 5000), exit({finished, length(L)}) end,
                               [monitor, {max_heap_size, Limit}]),
    receive {'DOWN', Monitor, process, Pid, Reason} -> Reason end.

max_heap_flag() ->
    in_process(fun() ->
        process_flag(max_heap_size, #{size => 300, kill => true, error_logger => false}),
        length(lists:seq(1, 1000))
    end, []).

max_heap_message() ->
    {Pid, Monitor} = spawn_opt(fun() -> receive {go, L} -> exit({got, length(L)}) end end,
                               [monitor, {max_heap_size, #{size => 1000, error_logger => false}}]),
    Pid ! {go, lists:seq(1, 3000)},
    receive {'DOWN', Monitor, process, Pid, Reason} -> Reason end.

%% The report that the logger gets.
max_heap_report() ->
    Self = self(),
    ok = logger:set_primary_config(level, error),
    ok = logger:add_handler(memory_tests, ?MODULE, #{config => Self}),
    Reason = max_heap(#{size => 5000, kill => true, error_logger => true}),
    Report = receive {report, Level, Format, Args} -> {Level, Format, report_arguments(Args)} after 2000 -> none end,
    logger:remove_handler(memory_tests),
    ok = logger:set_primary_config(level, none),
    {Reason, Report}.

log(#{level := Level, msg := {Format, Args}}, #{config := Pid}) -> Pid ! {report, Level, Format, Args};
log(_, _) -> ok.

report_arguments([Pid, Max, Total, Kill, Log, Queue, Info]) when Total > Max -> [Pid, Max, Kill, Log, Queue, [K || {K, _} <- Info]];
report_arguments(Args) -> Args.

system_flags() ->
    [begin
         Old = erlang:system_flag(F, V),
         New = erlang:system_info(F),
         Child = in_process(fun() -> info(F) end, []),
         Back = erlang:system_flag(F, Old1 = case Old of #{size := _} -> Old; _ -> Old end),
         {F, V, Old, New, Child, Back =:= V orelse Back, Old1 =:= Old}
     end || {F, V} <- [{min_heap_size, 987}, {min_bin_vheap_size, 75113}, {fullsweep_after, 5},
                       {max_heap_size, #{size => 1000000, kill => true, error_logger => false}}]] ++
    [catch_class(fun() -> erlang:system_flag(F, V) end)
     || {F, V} <- [{min_heap_size, -1}, {min_heap_size, a}, {fullsweep_after, -1}, {max_heap_size, -1}, {nothing, 1}]].

binary_list() ->
    in_process(fun() ->
        A = binary:copy(<<"a">>, 1000),
        {binary, L} = process_info(self(), binary),
        B = binary:part(A, 0, 500),
        {binary, L2} = process_info(self(), binary),
        R = [{S, C} || {_, S, C} <- L2],
        {[{S, C} || {_, S, C} <- L], R, byte_size(A), byte_size(B)}
    end, []).

binary_released() ->
    in_process(fun() ->
        A = [binary:copy(<<"a">>, 1000) || _ <- lists:seq(1, 10)],
        {binary, L} = process_info(self(), binary),
        N = length(A),
        garbage_collect(),
        {binary, L2} = process_info(self(), binary),
        {N, length(L), length(L2)}
    end, []).

%% A binary that was built by appending gives its spare room back.
append_shrinks() ->
    in_process(fun() ->
        B = append(<<>>, 3000),
        garbage_collect(),
        garbage_collect(),
        garbage_collect(),
        {byte_size(B), binary:referenced_byte_size(B), erlang:crc32(B), erlang:crc32(append(B, 10))}
    end, []).

append(B, 0) -> B;
append(B, N) -> append(<<B/binary, N:8>>, N - 1).

%% Collected because of its binaries, not of its heap.
virtual_binary_heap() ->
    in_process(fun() -> many_binaries(2000), {binary, L} = process_info(self(), binary), length(L) < 2000 end, []).

many_binaries(0) -> ok;
many_binaries(N) -> _ = binary:copy(<<"a">>, 100000), many_binaries(N - 1).

queue_data() ->
    in_process(fun() ->
        Self = self(),
        [Self ! {before, N, lists:seq(1, 10)} || N <- lists:seq(1, 10)],
        process_flag(message_queue_data, off_heap),
        [Self ! {during, N, lists:seq(1, 10)} || N <- lists:seq(1, 10)],
        process_flag(message_queue_data, on_heap),
        garbage_collect(),
        {process_info(Self, message_queue_len), [receive {T, N, L} -> {T, N, length(L)} end || _ <- lists:seq(1, 20)]}
    end, []).

queue_length() ->
    in_process(fun() ->
        Self = self(),
        A = process_info(Self, message_queue_len),
        [Self ! N || N <- lists:seq(1, 1000)],
        B = process_info(Self, message_queue_len),
        receive 500 -> ok end,
        {A, B, process_info(Self, message_queue_len), process_info(Self, [message_queue_len])}
    end, []).

info_keys() ->
    Pid = spawn(?MODULE, hold, [x]),
    Keys = [K || {K, _} <- process_info(Pid)],
    {_, Gc} = process_info(Pid, garbage_collection),
    {_, Info} = process_info(Pid, garbage_collection_info),
    Bad = [catch_class(fun() -> process_info(Pid, K) end) || K <- [nothing, [heap_size, nothing], 1, [a | b]]],
    exit(Pid, kill),
    {Keys, Gc, [K || {K, _} <- Info], Bad}.

memory_keys() ->
    {lists:sort([K || {K, V} <- erlang:memory(), is_integer(V), V >= 0]),
     [is_integer(erlang:memory(K)) || K <- [total, processes, processes_used, system, atom, atom_used, binary, code, ets]],
     [K || {K, _} <- erlang:memory([ets, total, code])], erlang:memory([])}.

memory_sums() ->
    M = maps:from_list(erlang:memory()),
    #{total := T, processes := P, processes_used := PU, system := S, atom := A, atom_used := AU, binary := B, code := C,
      ets := E} = M,
    Big = binary:copy(<<"x">>, 10000000),
    After = erlang:memory(binary),
    {T =:= P + S, PU =< P, AU =< A, S >= A + B + C + E, After - B >= 9000000, byte_size(Big), C > 1000000, E > 10000}.

where_waiting() ->
    Pid = spawn(?MODULE, hold, [x]),
    wait_until(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    Info = process_info(Pid, [current_function, current_location, current_stacktrace, initial_call, status]),
    exit(Pid, kill),
    strip(Info).

%% Line numbers stay, file names lose their folder.
strip(Term) when is_tuple(Term) -> list_to_tuple(strip(tuple_to_list(Term)));
strip([{file, F} | T]) -> [{file, filename:basename(F)} | strip(T)];
strip([H | T]) -> [strip(H) | strip(T)];
strip(Term) -> Term.

where_hibernating() ->
    Pid = spawn(fun() -> erlang:hibernate(?MODULE, waiter, [x]) end),
    wait_until(fun() -> process_info(Pid, current_function) =:= {current_function, {erlang, hibernate, 3}} end),
    Info = process_info(Pid, [current_function, current_location, current_stacktrace, status]),
    exit(Pid, kill),
    strip(Info).

spin() -> spin(0).
spin(N) -> spin(N + 1).

where_suspended() ->
    Pid = spawn(fun spin/0),
    receive after 20 -> ok end,
    erlang:suspend_process(Pid),
    Info = process_info(Pid, [current_function, current_stacktrace, status]),
    exit(Pid, kill),
    strip(Info).

where_own() ->
    A = process_info(self(), current_function),
    {_, B} = process_info(self(), current_stacktrace),
    {current_location, C} = process_info(self(), current_location),
    D = apply(erlang, process_info, [self(), current_function]),
    {A, strip(hd(B)), strip(C), D}.

where_fresh() ->
    in_process(fun() ->
        process_flag(priority, high),
        Pid = spawn(?MODULE, hold, [x]),
        Info = process_info(Pid, [current_function, initial_call]),
        exit(Pid, kill),
        Info
    end, []).

where_call() ->
    Self = self(),
    Pid = spawn(fun() -> A = nested(Self, 3), Self ! A end),
    wait_until(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {_, Stack} = process_info(Pid, current_stacktrace),
    Pid ! go,
    receive {nested, X} -> {X, strip(Stack)} end.

nested(_, 0) -> receive go -> ok end, {nested, 0};
nested(P, N) -> {nested, X} = nested(P, N - 1), {nested, X + 1}.

%% Addresses and offsets are the machine's own.
shape(Text) ->
    T1 = re:replace(Text, "0x[0-9a-f]+", "0xA", [global]),
    T2 = re:replace(T1, " \\+ [0-9]+\\)", " + N)", [global]),
    T3 = re:replace(T2, "<0\\.[0-9]+\\.0>", "<P>", [global]),
    string:split(iolist_to_binary(T3), "\n", all).

backtrace_waiting() ->
    Self = self(),
    Pid = spawn(fun() -> A = nested({one, "two", 3.0, <<"four">>}, 2), Self ! A end),
    wait_until(fun() -> process_info(Pid, status) =:= {status, waiting} end),
    {backtrace, B} = process_info(Pid, backtrace),
    exit(Pid, kill),
    shape(B).

backtrace_own() ->
    in_process(fun() ->
        X = {some, "term"},
        {backtrace, B} = process_info(self(), backtrace),
        [lists:sublist(shape(B), 2), X]
    end, []).

backtrace_arguments() ->
    Pid = spawn(fun() -> erlang:hibernate(?MODULE, waiter, [{argument, [1, 2]}]) end),
    wait_until(fun() -> process_info(Pid, current_function) =:= {current_function, {erlang, hibernate, 3}} end),
    {backtrace, B} = process_info(Pid, backtrace),
    exit(Pid, kill),
    shape(B).

process_display() ->
    {erlang:process_display(self(), backtrace), catch_class(fun() -> erlang:process_display(self(), x) end),
     catch_class(fun() -> erlang:process_display(x, backtrace) end)}.
