%% What the tests of hot code share: functions made of text, and calls enough for the JIT to take a function.
-module(hot).
-export([load/2, forget/1, heat/2, heat/3, warm/1, outcome/2]).

-define(HOT, 3000).

%% Loads a module that exports all of its functions; `?MODULE` in the text is its name.
load(Name, Text) ->
    {module, Name} = code:load_binary(Name, "jit", compile(Name, Text)),
    Name.

compile(Name, Text) ->
    Source = lists:flatten(["-module(", atom_to_list(Name), "). -compile(export_all). " | Text]),
    {ok, Tokens, _} = erl_scan:string(lists:flatten(string:replace(Source, "?MODULE", atom_to_list(Name), all))),
    {ok, Name, Binary} = compile:forms(forms(Tokens, []), []),
    Binary.

forms([], []) -> [];
forms([{dot, _} = Dot | Rest], Form) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    [Parsed | forms(Rest, [])];
forms([Token | Rest], Form) -> forms(Rest, [Token | Form]).

forget(Name) ->
    code:purge(Name),
    code:delete(Name),
    code:purge(Name),
    ok.

%% Calls F so often.
heat(_, 0) -> ok;
heat(F, N) -> _ = F(N), heat(F, N - 1).

%% The same with one argument.
heat(_, _, 0) -> ok;
heat(F, X, N) -> _ = F(X), heat(F, X, N - 1).

%% What F(X) does, with the stack trace up to here.
outcome(F, X) ->
    try {ok, F(X)}
    catch Class:Reason:Stack ->
        {Class, Reason, lists:takewhile(fun({_, Name, _, _}) -> Name =/= outcome end, Stack)}
    end.

%% Gives the compile thread time.
warm(F) -> heat(F, ?HOT), receive after 300 -> heat(F, ?HOT) end.
