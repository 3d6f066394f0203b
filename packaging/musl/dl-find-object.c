/* What gcc's unwinder asks of glibc 2.35 and later, said by musl's dl_iterate_phdr. */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

struct dl_find_object {
  unsigned long long flags;
  void *map_start, *map_end;
  struct link_map *link_map;
  void *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  ElfW(Addr) pc;
  struct dl_find_object *found;
};

static int look(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  int inside = 0;
  void *eh_frame = NULL;
  ElfW(Addr) start = -1, end = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    ElfW(Addr) begin = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_GNU_EH_FRAME) eh_frame = (void *)begin;
    if (header->p_type != PT_LOAD) continue;
    if (begin < start) start = begin;
    if (begin + header->p_memsz > end) end = begin + header->p_memsz;
    if (search->pc >= begin && search->pc < begin + header->p_memsz) inside = 1;
  }
  if (!inside || !eh_frame) return 0;
  *search->found = (struct dl_find_object){
      .map_start = (void *)start, .map_end = (void *)end, .eh_frame = eh_frame};
  return 1;
}

int _dl_find_object(void *pc, struct dl_find_object *found) {
  struct search search = {(ElfW(Addr))pc, found};
  return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}

/* libgcc_s asks for its own under an old version, which musl does not look at; the unwinder needs neither. */
struct {
  unsigned int vendor, type, subtype, features[1];
} __cpu_model;

int __cpu_indicator_init(void) { return 0; }
