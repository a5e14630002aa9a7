%% Native functions on inputs that take them several slices: results, exceptions, who else gets to run meanwhile, and
%% what happens when the process is killed or its table deleted in the middle.
%%
%% Inputs are made by native functions and kept as persistent terms, so that --gc-stress need not copy them.
-module(yield_tests).
-export([tests/0]).
-compile(nowarn_deprecated_function).

tests() ->
    make_inputs(),
    results() ++ failures() ++ shares() ++ kills() ++ tables() ++ watching().

%% Lists of N elements through the external format, which no Erlang loop has to build.
list(N, Element) -> binary_to_term(<<131, 108, N:32, (binary:copy(Element, N))/binary, 106>>).

make_inputs() ->
    N = 300000,
    Counted = << <<98, I:32>> || I <- lists:seq(1, 1000) >>,
    put_input(ones, list(N, <<97, 1>>)),
    put_input(counted, binary_to_term(<<131, 108, N:32, (binary:copy(Counted, N div 1000))/binary, 106>>)),
    put_input(pairs, list(N, <<104, 2, 97, 1, 97, 2>>)),
    put_input(floats, list(N, <<70, 64, 9, 33, 251, 84, 68, 45, 24>>)),
    put_input(bytes, binary:copy(<<"some text with no zed and a few bytes ", 200, 150, 0>>, 20000)),
    put_input(text, binary:copy(<<"gr", 195, 188, "n und ", 226, 130, 172>>, 60000)),
    put_input(small_binaries, list(100000, <<109, 5:32, "abcde">>)),
    put_input(nested, list(100000, <<108, 2:32, 97, 65, 109, 3:32, "xyz", 106>>)),
    Keys = << <<104, 2, 98, I:32, 97, 7>> || I <- lists:seq(1, 20000) >>,
    put_input(entries, binary_to_term(<<131, 108, 20000:32, Keys/binary, 106>>)),
    put_input(map, maps:from_list(input(entries))),
    put_input(map2, maps:from_keys(input(counted), there)),
    put_input(external, term_to_binary(input(counted))),
    ok.

put_input(Name, Value) -> persistent_term:put({?MODULE, Name}, Value).
input(Name) -> persistent_term:get({?MODULE, Name}).

%% {Name, Function}: long calls that succeed.
calls() ->
    [{length, fun() -> length(input(ones)) end},
     {applied_length, fun() -> apply(erlang, length, [input(ones)]) end},
     {guard_length, fun() -> L = input(ones), if length(L) > 3 -> long; true -> short end end},
     {append, fun() -> input(ones) ++ [tail] end},
     {append_improper, fun() -> input(ones) ++ tail end},
     {subtract, fun() -> input(counted) -- input(ones) end},
     {subtract_many, fun() -> input(counted) -- lists:reverse(input(counted), input(ones)) end},
     {reverse, fun() -> lists:reverse(input(counted)) end},
     {reverse_tail, fun() -> lists:reverse(input(counted), tail) end},
     {member, fun() -> lists:member(nothing, input(ones)) end},
     {member_boxed, fun() -> lists:member({nothing}, input(pairs)) end},
     {keyfind, fun() -> lists:keyfind(3, 1, input(pairs)) end},
     {keymember, fun() -> lists:keymember(3.5, 2, input(pairs)) end},
     {keysearch, fun() -> lists:keysearch(nothing, 2, input(pairs)) end},
     {list_to_binary, fun() -> list_to_binary(input(ones)) end},
     {list_to_binary_nested, fun() -> list_to_binary(input(nested)) end},
     {list_to_bitstring, fun() -> list_to_bitstring([<<1:3>>, input(small_binaries)]) end},
     {iolist_to_binary, fun() -> iolist_to_binary([input(nested) | input(bytes)]) end},
     {iolist_size, fun() -> iolist_size([input(nested), input(small_binaries) | input(bytes)]) end},
     {iolist_to_iovec, fun() -> erlang:iolist_to_iovec([input(nested), input(bytes) | input(text)]) end},
     {binary_to_list, fun() -> binary_to_list(input(bytes)) end},
     {binary_to_list_part, fun() -> binary_to_list(input(bytes), 3, 700000) end},
     {bitstring_to_list, fun() -> bitstring_to_list(<<(input(bytes))/binary, 5:3>>) end},
     {term_to_binary, fun() -> term_to_binary({input(counted), input(map), input(bytes)}) end},
     {term_to_binary_sorted, fun() -> term_to_binary(input(map), [deterministic]) end},
     {term_to_binary_compressed, fun() -> term_to_binary(input(counted), [compressed]) end},
     {term_to_iovec, fun() -> iolist_to_binary(erlang:term_to_iovec(input(pairs))) end},
     {external_size, fun() -> erlang:external_size(input(pairs)) end},
     {binary_to_term, fun() -> binary_to_term(input(external)) end},
     {binary_to_term_used, fun() -> binary_to_term(<<(input(external))/binary, 1, 2>>, [used, safe]) end},
     {binary_to_term_compressed, fun() -> binary_to_term(term_to_binary(input(counted), [{compressed, 1}])) end},
     {phash2, fun() -> erlang:phash2({input(counted), input(map), input(bytes)}) end},
     {phash2_range, fun() -> erlang:phash2(input(pairs), 1000) end},
     {phash, fun() -> erlang:phash({input(counted), input(bytes)}, 1 bsl 32) end},
     {md5, fun() -> erlang:md5([input(bytes), input(ones)]) end},
     {md5_update, fun() -> erlang:md5_final(erlang:md5_update(erlang:md5_init(), input(bytes))) end},
     {crc32, fun() -> erlang:crc32(17, [input(ones) | input(bytes)]) end},
     {adler32, fun() -> erlang:adler32([input(ones) | input(bytes)]) end},
     {match, fun() -> binary:match(input(bytes), <<"zz">>) end},
     {match_late, fun() -> binary:match(<<(input(bytes))/binary, "zz top">>, [<<"zz t">>, <<"zzz">>]) end},
     {matches, fun() -> binary:matches(input(bytes), <<"few">>) end},
     {matches_several, fun() -> binary:matches(input(bytes), [<<"few">>, <<"fewer">>, <<"text">>]) end},
     {split, fun() -> binary:split(input(bytes), <<0>>, [global, trim_all]) end},
     {replace, fun() -> binary:replace(input(bytes), <<"few">>, <<"many">>, [global]) end},
     {copy, fun() -> binary:copy(input(bytes), 3) end},
     {copy_small, fun() -> binary:copy(<<"abc">>, 500001) end},
     {longest_common_prefix, fun() -> binary:longest_common_prefix([input(bytes), binary:copy(input(bytes))]) end},
     {to_binary, fun() -> unicode:characters_to_binary([input(text), input(ones) | input(text)]) end},
     {to_binary_latin1, fun() -> unicode:characters_to_binary(input(bytes), latin1) end},
     {to_list, fun() -> unicode:characters_to_list(input(text)) end},
     {to_list_latin1, fun() -> unicode:characters_to_list([input(bytes)], latin1) end},
     {to_list_broken, fun() -> unicode:characters_to_list(<<(input(text))/binary, 255, (input(text))/binary>>) end},
     {from_list, fun() -> maps:from_list(input(entries)) end},
     {from_keys, fun() -> maps:from_keys(input(counted), x) end},
     {keys, fun() -> maps:keys(input(map)) end},
     {values, fun() -> maps:values(input(map)) end},
     {merge, fun() -> maps:merge(input(map), input(map2)) end},
     {to_list_map, fun() -> maps:to_list(input(map)) end},
     {integer_to_list, fun() -> integer_to_list(binary:decode_unsigned(binary:part(input(bytes), 0, 30000))) end},
     {integer_to_binary, fun() -> integer_to_binary(binary:decode_unsigned(binary:part(input(bytes), 0, 30000)), 7) end},
     {binary_to_integer, fun() -> binary_to_integer(binary:copy(<<"1234567890">>, 9000)) end},
     {list_to_integer, fun() -> list_to_integer(binary_to_list(binary:copy(<<"-1234567890">>, 1)) ++
                                                binary_to_list(binary:copy(<<"5">>, 60000))) end},
     {re_run, fun() -> re:run(input(bytes), "b[yz]{2,}e?s.*few$") end},
     {re_slow, fun() -> re:run(binary:copy(<<"a">>, 22), "^(a|aa)+$b") end},
     {re_global, fun() -> re:run(input(bytes), "few", [global]) end},
     {select, fun() -> with_table(set, fun(T) -> lists:sort(ets:select(T, [{{'$1', '_'}, [], ['$1']}])) end) end},
     {select_tree, fun() -> with_table(ordered_set, fun(T) -> ets:select(T, [{{'$1', '_'}, [{'>', '$1', 20}], ['$1']}]) end) end},
     {select_reverse, fun() -> with_table(ordered_set, fun(T) -> ets:select_reverse(T, [{{'$1', '_'}, [], ['$1']}]) end) end},
     {select_bag, fun() -> with_table(duplicate_bag, fun(T) -> lists:sort(ets:select(T, [{'$1', [], ['$1']}])) end) end},
     {select_limit, fun() -> with_table(ordered_set, fun(T) -> pieces(ets:select(T, [{{'$1', 7}, [], ['$1']}], 9000)) end) end},
     {select_nothing, fun() -> with_table(set, fun(T) -> ets:select(T, [{{'$1', none}, [], ['$1']}], 3) end) end},
     {match_object, fun() -> with_table(set, fun(T) -> lists:sort(ets:match_object(T, {'_', 7})) end) end},
     {match_table, fun() -> with_table(ordered_set, fun(T) -> ets:match(T, {'$1', 7}) end) end},
     {tab2list, fun() -> with_table(set, fun(T) -> lists:sort(ets:tab2list(T)) end) end},
     {select_count, fun() -> with_table(set, fun(T) -> ets:select_count(T, [{{'$1', '_'}, [{'<', '$1', 99}], [true]}]) end) end},
     {select_delete, fun() -> with_table(set, fun(T) -> {ets:select_delete(T, [{{'$1', '_'}, [{'<', '$1', 9999}], [true]}]),
                                                         ets:info(T, size), lists:sum(ets:select(T, [{{'$1', '_'}, [], ['$1']}]))} end) end},
     {select_delete_tree, fun() -> with_table(ordered_set, fun(T) -> {ets:select_delete(T, [{{'$1', '_'}, [{'<', '$1', 9999}], [true]}]),
                                                         ets:info(T, size), ets:first(T), ets:last(T)} end) end},
     {select_replace, fun() -> with_table(ordered_set, fun(T) -> {ets:select_replace(T, [{{'$1', '_'}, [], [{{'$1', '$1'}}]}]),
                                                                 erlang:phash2(ets:tab2list(T))} end) end},
     {delete_all, fun() -> with_table(set, fun(T) -> {ets:delete_all_objects(T), ets:tab2list(T), ets:insert(T, {a, b}),
                                                      ets:tab2list(T)} end) end},
     {delete_all_fixed, fun() -> with_table(set, fun(T) -> {ets:safe_fixtable(T, true), ets:delete_all_objects(T), ets:info(T, size),
                                                     ets:insert(T, {a, b}), ets:safe_fixtable(T, false), ets:tab2list(T)} end) end},
     {delete_table, fun() -> with_table(ordered_set, fun(T) -> {ets:delete(T), ets:info(T)} end) end},
     {insert_new, fun() -> with_table(set, fun(T) -> {ets:insert_new(T, input(entries)), ets:delete(T, 1),
                                                      ets:insert_new(T, input(entries)), ets:info(T, size)} end) end},
     {match_spec_run, fun() -> ets:match_spec_run(input(pairs), ets:match_spec_compile([{{'$1', '_'}, [], ['$1']}])) end}].

pieces('$end_of_table') -> [];
pieces({Found, Continuation}) -> [length(Found) | pieces(ets:select(Continuation))].

with_table(Type, Fun) ->
    T = ets:new(table, [Type, public]),
    ets:insert(T, input(entries)),
    Fun(T).

results() -> [{Name, fun() -> brief(Call()) end} || {Name, Call} <- calls()].

brief(Result) when is_integer(Result), Result < 1 bsl 59; is_atom(Result) -> Result;
brief(Result) -> {erlang:phash2(Result), erlang:external_size(Result)}.

%% Exceptions of functions that find their argument wrong after several slices: the stack trace names the function with
%% arguments. The real VM gives those of the last trap there, and may have given up the caller's frame by then, so these
%% are not compared.
failures() ->
    Improper = fun() -> input(ones) ++ tail end,
    [{Name, fun() -> failure(fun() -> Call(Improper()) end) end} || {Name, Call} <-
        [{bad_length, fun(L) -> length(L) end},
         {bad_applied_length, fun(L) -> apply(erlang, length, [L]) end},
         {bad_append, fun(L) -> L ++ [1] end},
         {bad_subtract, fun(L) -> [1] -- L end},
         {bad_reverse, fun(L) -> lists:reverse(L, [2]) end},
         {bad_member, fun(L) -> lists:member(nothing, L) end},
         {bad_keyfind, fun(L) -> lists:keyfind(nothing, 1, L) end},
         {bad_list_to_binary, fun(L) -> list_to_binary(L) end},
         {bad_iolist_size, fun(L) -> iolist_size(L) end},
         {bad_characters, fun(L) -> unicode:characters_to_binary(L) end},
         {bad_from_list, fun(L) -> maps:from_list(L) end},
         {bad_integer, fun(L) -> list_to_integer(L) end},
         {bad_spec_run, fun(L) -> ets:match_spec_run_r(L, ets:match_spec_compile([{'_', [], ['$_']}]), []) end}]]
    ++ [{guard_fails, fun() -> L = Improper(), if length(L) > 3 -> long; true -> improper end end},
        {bad_external, fun() -> failure(fun() -> binary_to_term(binary:part(input(external), 0, 1000000)) end) end},
        {bad_digits, fun() -> failure(fun() -> binary_to_integer(binary:copy(<<"12x">>, 30000)) end) end},
        {bad_insert, fun() -> failure(fun() -> ets:insert(ets:new(t, []), input(ones)) end) end},
        {caught, fun() -> L = Improper(), catch length(L), {is_list(catch lists:reverse(L)), length(input(ones))} end}].

failure(Call) ->
    try Call() of
        Value -> {value, brief(Value)}
    catch Class:Reason:Stack -> {Class, Reason, [frame(F) || F <- Stack, not lists:member(element(1, F), [harness, ?MODULE])]}
    end.

frame({M, F, Arguments, Info}) when is_list(Arguments) -> {M, F, length(Arguments), Info};
frame(Frame) -> Frame.

%% With one scheduler another process must run several times while the native function does. Nothing depends on time:
%% a function that does not yield lets nobody run. With more schedulers this shows nothing.
shares() ->
    Yielding = [length, applied_length, append, subtract, reverse, member, keyfind, list_to_binary, term_to_binary,
                term_to_binary_compressed, binary_to_term, md5, crc32, adler32, match, matches,
                split, copy, to_binary, to_list],
    [{{others_run, Name}, fun() -> others_run(Call, 3) end} || {Name, Call} <- calls(), lists:member(Name, Yielding)]
    ++ [{{others_run, table, Name}, fun() -> others_run(filled(Type, Call), 3) end} || {Name, Type, Call} <-
        [{select, set, fun(T) -> ets:select(T, [{{'$1', '_'}, [], ['$1']}]) end},
         {select_tree, ordered_set, fun(T) -> ets:select(T, [{{'$1', '_'}, [], ['$1']}]) end},
         {select_count, set, fun(T) -> ets:select_count(T, [{{'$1', none}, [], [true]}]) end},
         {select_delete, set, fun(T) -> ets:select_delete(T, [{{'$1', 8}, [], [true]}]) end},
         {select_replace, set, fun(T) -> ets:select_replace(T, [{{'$1', 7}, [], [{{'$1', 8}}]}]) end}]]
    ++ [{nobody_runs, fun() -> nobody_runs() end},
        {longest_gap, fun() -> longest_gap(4) end}].

%% The table is filled before the ticks count.
filled(Type, Call) ->
    T = ets:new(table, [Type, public]),
    ets:insert(T, input(entries)),
    ets:insert(T, [{K + 100000, V} || {K, V} <- input(entries)]),
    fun() -> Call(T) end.

others_run(Call, AtLeast) ->
    Ticks = ticks_during(Call),
    Schedulers = erlang:system_info(schedulers_online),
    if Ticks >= AtLeast; Schedulers > 1 -> shared; true -> {alone, Ticks} end.

%% How often a process that does nothing but yield ran during the call.
ticks_during(Call) ->
    Counter = counters:new(1, []),
    Ticker = spawn_link(fun() -> tick(Counter) end),
    wait_until(fun() -> counters:get(Counter, 1) > 0 end),
    erlang:yield(),
    Before = counters:get(Counter, 1),
    Call(),
    After = counters:get(Counter, 1),
    stop(Ticker),
    After - Before.

stop(Pid) ->
    unlink(Pid),
    Monitor = monitor(process, Pid),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end.

tick(Counter) -> counters:add(Counter, 1, 1), erlang:yield(), tick(Counter).

wait_until(Condition) ->
    case Condition() of
        true -> ok;
        false -> erlang:yield(), wait_until(Condition)
    end.

%% The measure itself: functions that do not yield in the real VM either.
nobody_runs() ->
    case erlang:system_info(schedulers_online) of
        1 ->
            Ticks = ticks_during(fun() -> list_to_tuple(input(ones)) end),
            if Ticks =< 2 -> alone; true -> {shared, Ticks} end;
        _ -> alone
    end.

%% The same with a clock: the longest time another process waits is a small part of what the function takes. Several
%% attempts, because the machine may be busy.
longest_gap(0) -> waits;
longest_gap(Attempts) ->
    Self = self(),
    Ticker = spawn_link(fun() -> now_and_then(Self, erlang:monotonic_time(), 0) end),
    Start = erlang:monotonic_time(),
    [term_to_binary([input(counted), input(floats)], [{compressed, 9}]) || _ <- [1]],
    Total = erlang:monotonic_time() - Start,
    Ticker ! {stop, Self},
    receive {gap, Gap} when Gap * 3 < Total -> runs; {gap, _} -> longest_gap(Attempts - 1) end.

now_and_then(Parent, Last, Longest) ->
    Now = erlang:monotonic_time(),
    receive {stop, Parent} -> Parent ! {gap, max(Longest, Now - Last)}
    after 0 -> erlang:yield(), now_and_then(Parent, Now, max(Longest, Now - Last))
    end.

%% Processes killed while they call long functions, after more and more slices.
kills() ->
    [{{killed, Name}, fun() -> kill(Call, 4) end} || {Name, Call} <- calls()].

kill(_, 0) -> survived;
kill(Call, Yields) ->
    {Pid, Monitor} = spawn_opt(fun() -> loop(Call) end, [link, monitor]),
    unlink(Pid),
    [erlang:yield() || _ <- lists:seq(1, Yields)],
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, Pid, killed} -> kill(Call, Yields - 1) end.

%% The real VM does not charge reductions for all of them.
loop(Call) -> Call(), erlang:yield(), loop(Call).

%% Tables that go away or change while another process looks through them.
tables() ->
    [{{deleted_while, Type, Name}, fun() -> delete_while(Type, Call) end} ||
        Type <- [set, ordered_set, duplicate_bag],
        {Name, Call} <- [{select, fun(T) -> ets:select(T, [{{'$1', '_'}, [], ['$1']}]) end},
                         {count, fun(T) -> ets:select_count(T, [{{'$1', '_'}, [], [true]}]) end},
                         {delete, fun(T) -> ets:select_delete(T, [{{'$1', none}, [], [true]}]) end},
                         {limit, fun(T) -> ets:select(T, [{{'$1', '_'}, [], ['$1']}], 15000) end}]]
    ++ [{{changed_while, Type}, fun() -> change_while(Type) end} || Type <- [set, ordered_set]]
    ++ [{fixed_afterwards, fun() -> fixed_afterwards() end}].

%% The reader sees all of the table or a badarg, again and again, until the table is gone.
delete_while(Type, Call) ->
    T = ets:new(table, [Type, public]),
    ets:insert(T, input(entries)),
    {Reader, Monitor} = spawn_monitor(fun() -> exit(read(Call, T)) end),
    [erlang:yield() || _ <- lists:seq(1, 50)],
    ets:delete(T),
    receive {'DOWN', Monitor, process, Reader, Reason} -> Reason end.

read(Call, T) ->
    try Call(T) of
        _ -> read(Call, T)
    catch error:Reason:Stack -> {Reason, element(1, hd(Stack))}
    end.

%% Objects that are there all the time are seen exactly once, whatever happens to others.
change_while(Type) ->
    T = ets:new(table, [Type, public]),
    ets:insert(T, input(entries)),
    Writer = spawn_link(fun() -> change(T, 30000) end),
    Results = [begin
        Keys = ets:select(T, [{{'$1', '_'}, [{'=<', '$1', 20000}], ['$1']}]),
        lists:sort(Keys) =:= lists:seq(1, 20000)
    end || _ <- lists:seq(1, 5)],
    stop(Writer),
    Results.

change(T, Key) ->
    ets:insert(T, {Key, new}),
    ets:delete(T, Key - 500),
    change(T, if Key > 40000 -> 30001; true -> Key + 1 end).

fixed_afterwards() ->
    T = ets:new(table, [public]),
    ets:insert(T, input(entries)),
    Deleted = ets:select_delete(T, [{{'$1', '_'}, [{'>', '$1', 100}], [true]}]),
    {Deleted, ets:info(T, safe_fixed), ets:info(T, fixed), length(ets:tab2list(T))}.

%% What others see of a process in the middle of a long call.
watching() ->
    [{current_function, fun() -> current_function() end},
     {collected_meanwhile, fun() -> collected_meanwhile() end},
     {suspended_meanwhile, fun() -> suspended_meanwhile() end},
     {messages_meanwhile, fun() -> messages_meanwhile() end}].

current_function() ->
    Pid = spawn_link(fun() -> loop(fun() -> lists:member(nothing, input(ones)) end) end),
    Seen = wait_for({lists, member, 2}, Pid, 20000),
    unlink(Pid),
    exit(Pid, kill),
    Seen.

wait_for(_, _, 0) -> never;
wait_for(Function, Pid, Tries) ->
    case process_info(Pid, current_function) of
        {current_function, Function} -> seen;
        _ -> wait_for(Function, Pid, Tries - 1)
    end.

collected_meanwhile() ->
    Self = self(),
    Pid = spawn_link(fun() -> Self ! {self(), [brief(lists:reverse(input(counted))) || _ <- lists:seq(1, 5)]} end),
    Done = [erlang:garbage_collect(Pid) || _ <- lists:seq(1, 20)],
    receive {Pid, Result} -> {[X || X <- Done, not is_boolean(X)], Result} end.

suspended_meanwhile() ->
    Self = self(),
    Pid = spawn_link(fun() -> Self ! {self(), brief(input(counted) -- input(ones))} end),
    erlang:suspend_process(Pid),
    {status, Status} = process_info(Pid, status),
    Early = receive {Pid, _} -> early after 50 -> nothing end,
    erlang:resume_process(Pid),
    receive {Pid, Result} -> {Status, Early, Result} end.

messages_meanwhile() ->
    Self = self(),
    Pid = spawn_link(fun() ->
        Result = [brief(term_to_binary(input(counted))) || _ <- lists:seq(1, 3)],
        Self ! {self(), Result, receive_all()}
    end),
    [Pid ! {N, lists:seq(1, N)} || N <- lists:seq(1, 20)],
    Pid ! done,
    receive Answer -> setelement(1, Answer, pid) end.

receive_all() -> receive done -> []; M -> [erlang:phash2(M) | receive_all()] end.
