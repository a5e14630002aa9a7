#pragma once
#include "Layout.h"
#include "Atomics.h"
#include "EmptyTerms.h"
