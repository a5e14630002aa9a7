%% Functions whose code is well formed and breaks one rule each. A call of such a function must raise {badfile, MFA, Why};
%% functions that only look wrong must run. Prints a line for each: its number, its name, `ok` or what happened instead.
-module(bad_code).
-export([main/1]).

main(_) ->
    Cases = [{N, refused, [a], Code} || {N, Code} <- refused()] ++ [{N, refused, A, Code} || {N, A, Code} <- wrong_types()]
        ++ [{N, {value, V}, A, Code} || {N, V, A, Code} <- good()],
    [io:put_chars([integer_to_list(N), $\s, atom_to_list(Name), $\s, check(Name, Want, Arguments, Code), $\n])
        || {N, {Name, Want, Arguments, Code}} <- lists:zip(lists:seq(1, length(Cases)), Cases)],
    io:put_chars("end\n"),
    halt(0).

check(Name, Want, Arguments, Body) ->
    Arity = length(Arguments),
    Code = [{label, 1}, {func_info, {atom, Name}, {atom, f}, Arity}, {label, 2} | Body],
    Labels = 1 + lists:max([L || {label, L} <- Code]),
    {ok, Bytes} = beam_asm:module({Name, [{f, Arity}], [], [{function, f, Arity, 2, Code}], Labels}, [], [], []),
    {module, Name} = code:load_binary(Name, "nofile", Bytes),
    {Pid, Monitor} = spawn_monitor(fun() -> exit({got, try {value, apply(Name, f, Arguments)} catch error:{badfile, {Name, f, Arity}, [_ | _]} -> refused end}) end),
    receive
        {'DOWN', Monitor, process, _, {got, Want}} -> "ok";
        {'DOWN', Monitor, process, _, Other} -> io_lib:format("~0p", [Other])
    after 2000 -> exit(Pid, kill), "hangs"
    end.

refused() ->
    [{empty_register, [{move, {x, 3}, {x, 0}}, return]},
     {outside_frame, [{allocate, 1, 1}, {move, {y, 2}, {x, 0}}, {deallocate, 1}, return]},
     {empty_y_register, [{allocate, 1, 1}, {move, {y, 0}, {x, 0}}, {deallocate, 1}, return]},
     {no_deallocate, [{allocate, 1, 1}, {move, {x, 0}, {y, 0}}, return]},
     {wrong_deallocate, [{allocate, 2, 1}, {deallocate, 1}, return]},
     {no_frame, [{deallocate, 1}, return]},
     {two_frames, [{allocate, 1, 1}, {allocate, 1, 1}, {deallocate, 1}, {deallocate, 1}, return]},
     {trim, [{allocate, 1, 1}, {trim, 2, 0}, {deallocate, 0}, return]},
     {join, [{test, is_atom, {f, 3}, [{x, 0}]}, {allocate, 1, 1}, {label, 3}, {deallocate, 1}, return]},
     {tail_call, [{allocate, 2, 1}, {call_last, 1, {f, 2}, 1}]},
     {arity, [{move, {x, 0}, {x, 1}}, {call_only, 2, {f, 2}}]},
     {live, [{test_heap, 2, 3}, {put_list, {x, 0}, nil, {x, 0}}, return]},
     {no_test_heap, [{put_list, {x, 0}, nil, {x, 0}}, return]},
     {short_test_heap, [{test_heap, 2, 1}, {put_tuple2, {x, 0}, {list, [{x, 0}, {x, 0}]}}, return]},
     {heap_after_call, [{allocate_heap, 0, 2, 1}, {call_ext, 1, {extfunc, erlang, hd, 1}}, {put_list, {x, 0}, nil, {x, 0}}, {deallocate, 0}, return]},
     {past_end, [{move, {atom, b}, {x, 0}}]},
     {dead_after_call, [{allocate, 0, 1}, {move, {x, 0}, {x, 1}}, {call_ext, 1, {extfunc, erlang, is_atom, 1}}, {move, {x, 1}, {x, 0}}, {deallocate, 0}, return]},
     {no_handler, [{allocate, 1, 1}, {'try', {y, 0}, {f, 3}}, {label, 3}, {deallocate, 1}, return]},
     {frame_in_try, [{allocate, 1, 1}, {'try', {y, 0}, {f, 3}}, {deallocate, 1}, return, {label, 3}, {try_case, {y, 0}}, {deallocate, 1}, return]},
     {tag_read, [{allocate, 1, 1}, {'catch', {y, 0}, {f, 3}}, {move, {y, 0}, {x, 0}}, {label, 3}, {catch_end, {y, 0}}, {deallocate, 1}, return]},
     {nesting, [{allocate, 2, 1}, {init_yregs, {list, [{y, 0}, {y, 1}]}}, {'catch', {y, 0}, {f, 3}}, {'catch', {y, 1}, {f, 4}}, {label, 4}, {catch_end, {y, 1}},
         {label, 3}, {catch_end, {y, 0}}, {deallocate, 2}, return]},
     {loop, [{label, 3}, {jump, {f, 3}}]},
     {no_guard, [{bif, exit, {f, 0}, [{x, 0}], {x, 0}}, return]},
     {no_context, [{test, bs_test_tail2, {f, 1}, [{x, 0}, 0]}, return]},
     {no_position, [{bs_start_match4, {f, 1}, 1, {x, 0}, {x, 0}}, {bs_set_position, {x, 0}, {integer, -800}}, return]},
     {not_building, [{bs_put_utf8, {f, 0}, {field_flags, []}, {x, 0}}, return]},
     {raise, [{move, {x, 0}, {x, 1}}, {raise, {x, 0}, {x, 1}}]}].

wrong_types() ->
    [{head, [a], [{get_hd, {x, 0}, {x, 0}}, return]},
     {list, [1 bsl 70], [{get_list, {x, 0}, {x, 0}, {x, 1}}, return]},
     {element, [{a, b}], [{get_tuple_element, {x, 0}, 2, {x, 0}}, return]},
     {two_elements, [{a, b}], [{get_tuple_element, {x, 0}, 1, {x, 1}}, {get_tuple_element, {x, 0}, 40, {x, 0}}, return]},
     {test_arity, [7], [{test, test_arity, {f, 1}, [{x, 0}, 2]}, return]},
     {map, [[a]], [{get_map_elements, {f, 1}, {x, 0}, {list, [{atom, k}, {x, 0}]}}, return]},
     {set_element, [self(), 1], [{set_tuple_element, {x, 1}, {x, 0}, 0}, return]}].

good() ->
    [{uncleared, "a", [a], [{allocate, 1, 1}, {bif, '=:=', {f, 0}, [{x, 0}, {x, 0}], {x, 1}}, {move, {x, 0}, {y, 0}}, {call_ext, 1, {extfunc, erlang, atom_to_list, 1}},
        {deallocate, 1}, return]},
     {known_tuple, b, [{a, b}], [{get_tuple_element, {x, 0}, 1, {x, 0}}, return]},
     {shared_raise, b, [b], [{test, is_atom, {f, 3}, [{x, 0}]}, {allocate, 1, 1}, {move, {x, 0}, {y, 0}}, {test, is_atom, {f, 3}, [{x, 0}]}, {deallocate, 1}, return,
        {label, 3}, {badmatch, {x, 0}}]}].
