#pragma once
#include "Layout.h"
#include "Atomics.h"
#include "EmptyTerms.h"
#include "Search.h"
