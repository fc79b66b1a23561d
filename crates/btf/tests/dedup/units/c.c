// Another `conflict`, so another `holder`; defines `ring`; tags on types and declarations.
#include "shared.h"
#define __tag __attribute__((btf_type_tag("rcu")))
#define __decl __attribute__((btf_decl_tag("kept")))
struct conflict { long a; };
struct holder { struct conflict *c; };
struct ring { struct ring *next; struct tree __tag *tree; int size __decl; };
struct owner { struct tree *root; u64 count; struct late *late; };
struct holder holder_c;
struct ring ring;
struct owner owner_c;
struct other { struct only_declared *p; struct ambiguous *q; } other;
enum wide wide_c;
enum color color_c;
__attribute__((noinline)) int visit_b(struct tree *t) { return t->red; }
int run_c(void) { return visit_b(other.q ? 0 : owner_c.root); }
