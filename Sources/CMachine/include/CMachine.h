#pragma once
#include "Layout.h"
#include "Native.h"
#include "Atomics.h"
#include "Schedule.h"
#include "PortShims.h"
#include "EmptyTerms.h"
#include "Search.h"
