#!/bin/sh
# Compiles c/*.bpf.c anew to clang/v3 and clang/v4, the objects that ours are compared with. Needs clang-22 and the
# headers of libbpf (Debian: apt-get install clang-22 libbpf-dev llvm). What is committed was made by clang 22.1.8.
set -eu
cd "$(dirname "$0")/c"
clang=${CLANG:-clang-22}
strip=${STRIP:-llvm-strip}
# the directory of <asm/types.h>, which the bpf target does not search
asm=$(echo '#include <asm/types.h>' | $clang -E -x c - | sed -n 's|^# 1 "\(.*\)/asm/types.h".*|\1|p' | head -n 1)
for cpu in v3 v4; do
	mkdir -p ../clang/$cpu
	for f in *.bpf.c; do
		o=../clang/$cpu/${f%.bpf.c}.o
		$clang -O2 -g -target bpf -mcpu=$cpu -Wall -Wextra -Wno-unused-parameter -Werror \
			-D__TARGET_ARCH_x86 -I"$asm" -ffile-compilation-dir=. -c "$f" -o "$o"
		$strip -g "$o"
	done
done
$clang --version | head -n 1
