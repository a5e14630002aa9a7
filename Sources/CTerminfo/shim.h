#include <curses.h>
#include <term.h>
#undef lines
#undef columns
