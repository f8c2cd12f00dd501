import { Problem } from '#kernel'

/** The prolog of a real export is 6 to 10 KB of DTD. */
const maxProlog = 256 * 1024

/**
 * Takes what stands before the root element off an export, so that the tokenizer never meets the DTD: Apple's own is
 * malformed in version 12, and a DTD is where entities are declared. Declarations of elements and attributes are
 * passed over, comments were before; any entity, and any reference to an external subset, is refused.
 *
 * @returns a function that is given the text piece by piece and gives back what belongs to the root element
 * @throws Problem `invalid` · `ingest.xml-entity`, `ingest.xml-malformed`
 */
export function skipProlog(): (text: string) => string {
  let prolog: string | undefined = ''
  return text => {
    if (prolog === undefined) return text
    prolog += text
    const root = prolog.indexOf('<HealthData')
    if (root < 0 && prolog.length <= maxProlog) return ''
    if (root < 0)
      throw new Problem(
        'invalid',
        'ingest.xml-malformed',
        `The XML has no HealthData element in its first ${maxProlog} characters.`,
      )
    const rest = prolog.slice(root)
    checkProlog(prolog.slice(0, root))
    prolog = undefined
    return rest
  }
}

function checkProlog(text: string): void {
  if (/<!ENTITY/i.test(text) || /%[\w.-]+;/.test(text) || /<!DOCTYPE\s+\S+\s+(?:SYSTEM|PUBLIC)\b/i.test(text))
    throw new Problem('invalid', 'ingest.xml-entity', 'The XML declares or refers to entities, which is not accepted.')
  if ((text.match(/<!DOCTYPE/gi) ?? []).length > 1)
    throw new Problem('invalid', 'ingest.xml-malformed', 'The XML has more than one document type declaration.')
}
