// Declares `owner` and `ring`; defines `late`.
#include "shared.h"
struct ring;
struct late { int here; struct ring *ring; enum color color; };
struct first { struct second *second; int n; };
struct second { struct first *first; };
struct only_declared *nowhere;
struct tree tree;
union either either;
enum wide wide;
struct late late;
struct first first;
struct { int a, b; } pair;
int matrix[3][4];
__attribute__((noinline)) int visit_a(struct tree *t) { return t->red + tree.depth; }
int run_a(void) { return visit_a(&tree); }
