/** Where the compiler knows `Float16Array`, so do tensors. */
import { expectTypeOf } from "expect-type";
import { fromFloat16, type Tensor, tensor, toFloat16 } from "papo";

expectTypeOf(tensor(new Float16Array(2))).toEqualTypeOf<Tensor<"float16", 1>>();
expectTypeOf(toFloat16).returns.toEqualTypeOf<Uint16Array | Float16Array>();
expectTypeOf(fromFloat16).parameter(0).toEqualTypeOf<Uint16Array | Float16Array>();
