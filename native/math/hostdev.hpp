// PAPO_HD marks what runs on the host and on a device: the only macro of this room.
#pragma once

#ifdef __CUDACC__
#define PAPO_HD __host__ __device__ inline
#else
#define PAPO_HD inline
#endif
