/** How types appear that have no page: words of a list as the words, types without an exported name as what they are. */
import {
  type Application,
  CommentTag,
  type Context,
  Converter,
  type DeclarationReflection,
  ReflectionKind,
} from "typedoc";
import ts from "typescript";

/** Not exported, since nobody needs their names; spelled out wherever something exported is made of them. */
const SPELLED_OUT = [
  "NativeCudaInfo",
  "NativeDeviceInfo",
  "NativeOpSpec",
  "NativeTensorSpec",
  "NativeAttributeSpec",
  "NativeMemoryInfo",
  "ForeignStream",
  "GroupedRewards",
  "TokenRewards",
  "LengthOptions",
  "BaselineRewards",
  "RewardComponents",
  "ValuedTokenRewards",
  "TokenLayoutOptions",
  "SequenceOptions",
  "MissingOptions",
  "GrpoParameters",
  "DrGrpoParameters",
  "GrpoBatchParameters",
  "RlooParameters",
  "ReinforceParameters",
  "ReinforceBaselineParameters",
  "OpoParameters",
  "GpgParameters",
  "PassAtKParameters",
  "PkpoParameters",
  "GdpoParameters",
  "GaeParameters",
  "SurrogateScope",
  "RejectionLevel",
  "PaperPresetId",
  "FamilyPresetId",
  "TrackState",
  "SignState",
  "Span",
  "Abortable",
  "Limits",
  "ObjectiveAttributes",
  "PairOptions",
  "Estimated",
  "AdvantageBatch",
];

export function spellTypes(application: Application): void {
  const tag = "@inlineType";
  application.converter.on(
    Converter.EVENT_CREATE_DECLARATION,
    (context: Context, reflection: DeclarationReflection) => {
      if (reflection.kindOf(ReflectionKind.Module)) {
        const tags = SPELLED_OUT.map((name) => new CommentTag(tag, [{ kind: "text", text: name }]));
        reflection.comment?.blockTags.push(...tags);
      }
      if (reflection.kindOf(ReflectionKind.TypeAlias) && isWords(context, reflection)) {
        reflection.comment?.modifierTags.add("@useDeclaredType");
      }
    },
  );
  // They are for the converter alone.
  application.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }: Context) => {
    for (const { comment } of project.children ?? []) comment?.removeTags(tag);
  });
}

/** Whether a type is nothing but words, or objects that say in a word of which kind they are. */
function isWords(context: Context, reflection: DeclarationReflection): boolean {
  const symbol = context.getSymbolFromReflection(reflection);
  const [declaration] = symbol?.declarations ?? [];
  if (symbol === undefined || declaration === undefined) return false;
  if (!ts.isTypeAliasDeclaration(declaration) || declaration.typeParameters) return false;
  const type = context.checker.getDeclaredTypeOfSymbol(symbol);
  const isLiteral = (part: ts.Type) => (part.flags & ts.TypeFlags.StringLiteral) !== 0;
  return type.isUnion() && type.types.every(isLiteral);
}
