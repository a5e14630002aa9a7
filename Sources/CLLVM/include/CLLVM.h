// CLLVM.h: LLVM's C API, bound when the first function is compiled: linking libLLVM would cost every start 15 ms.
// Each function that the JIT calls is named in LLVMFunctions.inc and is a jump through a slot that llvm_bind fills.
#pragma once
#include <stdint.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Error.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>
#include <llvm-c/Object.h>
#include <llvm-c/Orc.h>
#include <llvm-c/OrcEE.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

/// Loads libLLVM 19. Answers null, or the reason why it could not be loaded. Call it once, before any other function.
const char *_Nullable llvm_bind(void);

/// The file that llvm_bind loads, found without loading it; null if LLVM is in none of the usual places.
const char *_Nullable llvm_file(void);

/// Makes an object file in memory known to a debugger; answers its entry, null if there is no memory for it. One thread
/// at a time may be in this and the next one.
void *_Nullable jit_debug_register(const void *_Nonnull file, uint64_t size);
/// The file is no more.
void jit_debug_unregister(void *_Nonnull entry);

/// Path of the library or program whose code is at `address`, or null.
const char *_Nullable llvm_library_of(uint64_t address);
