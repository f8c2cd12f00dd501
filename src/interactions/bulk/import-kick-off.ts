import { beyondPatient, type Grant, homeInReach, requireBeyondPatient } from '#access'
import { Problem } from '#kernel'
import { partsOf, textIn } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import { parsePrefer } from '../rest/prefer.ts'
import type { FhirRequest, FhirResponse, ImportInput, PathParams, Rooms } from '../types.ts'
import { urlOf } from './kick-off.ts'

/** Files of one import; Microsoft's server has the same bound. */
const mostInputs = 10_000

/** Modes of other servers; none of them changes what is done here, since what is there is found. */
const modes: ReadonlySet<string> = new Set(['InitialLoad', 'IncrementalLoad', 'merge'])
const formats: ReadonlySet<string> = new Set(['application/fhir+ndjson', 'application/ndjson', 'ndjson'])
const storages: ReadonlySet<string> = new Set(['http', 'https'])

interface Asked {
  readonly inputs: readonly ImportInput[]
  readonly source?: string
  readonly authorization?: string
}

/**
 * Begins an import of NDJSON files about any number of patients, and says where to ask for it. It is asked as HAPI is: Parameters with
 * `inputFormat`, `inputSource`, `storageDetail` (`type`, `credentialHttpBasic`) and an `input` (`type`, `url`) for each file.
 *
 * @throws Problem `invalid` · `import.async-only`, `import.input-missing`, `import.input-malformed`, `request.parameter-unknown`;
 *   `unsupported` · `import.format-unsupported`, `import.storage-unsupported`; `forbidden` · `scope.missing`; and what `begin` throws
 * @see https://github.com/smart-on-fhir/bulk-import/blob/master/import-manifest.md
 */
export async function beginImport(request: FhirRequest, _: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asking = granted(request)
  checkMayImport(asking.grant)
  checkAsync(asking)
  const asked = askedImport(partsOf(await readResource(asking, 'Parameters')))
  const { grant, baseUrl, renew } = asking
  const job = await rooms.imports.begin({
    grant,
    ...asked,
    request: urlOf(asking),
    ...(renew === undefined ? {} : { renew }),
  })
  return { status: 202, headers: { 'content-location': `${baseUrl}/$import-status/${job}` } }
}

/**
 * Files about anybody, and people who are new, are for whoever speaks for the house: to find who somebody is, everybody is looked at.
 *
 * @throws Problem `forbidden` · `scope.missing`
 */
export function checkMayImport(grant: Grant): void {
  const wider = beyondPatient(grant)
  const ofHouse = { ...wider, terms: wider.terms.filter(({ level }) => level === 'system') }
  requireBeyondPatient(ofHouse, ['c', 'r', 's'], 'Patient')
  for (const type of ['Observation', 'Provenance']) requireBeyondPatient(ofHouse, ['c'], type)
  if (homeInReach(ofHouse) !== 'all')
    throw new Problem('forbidden', 'scope.missing', 'This needs the scope system/*.cruds.')
}

function checkAsync(request: FhirRequest): void {
  if (parsePrefer(request).respondAsync) return
  const text = 'An import is made aside: ask with the header Prefer: respond-async.'
  throw new Problem('invalid', 'import.async-only', text, { expression: 'Prefer' })
}

type Parts = ReturnType<typeof partsOf>

const known: ReadonlySet<string> = new Set(['inputFormat', 'inputSource', 'storageDetail', 'input', 'mode'])

function askedImport(parts: Parts): Asked {
  for (const { name } of parts) if (!known.has(String(name))) throw unknownParameter()
  checkOneOf(textOf(parts, 'inputFormat'), formats, 'inputFormat', formatUnsupported)
  checkOneOf(textOf(parts, 'mode'), modes, 'mode', malformed)
  const storage = partsWithin(parts.find(({ name }) => name === 'storageDetail'))
  checkOneOf(textOf(storage, 'type'), storages, 'storageDetail.type', storageUnsupported)
  const inputs = parts.filter(({ name }) => name === 'input').map(inputOf)
  if (inputs.length === 0) throw new Problem('invalid', 'import.input-missing', 'No input is named.', where('input'))
  if (inputs.length > mostInputs) throw malformed('input')
  const source = textOf(parts, 'inputSource')
  const credential = textOf(storage, 'credentialHttpBasic')
  const authorization = credential && `Basic ${Buffer.from(credential, 'utf8').toString('base64')}`
  return { inputs, ...(source && { source }), ...(authorization && { authorization }) }
}

function inputOf(part: Parts[number]): ImportInput {
  const within = partsWithin(part)
  const url = textOf(within, 'url')
  const type = textOf(within, 'type')
  if (url === undefined || !(/^Binary\/[A-Za-z0-9\-.]{1,64}$/.test(url) || URL.canParse(url)))
    throw malformed('input.url')
  return { url, ...(type === undefined ? {} : { type }) }
}

function partsWithin(part: Parts[number] | undefined): Parts {
  return part === undefined ? [] : partsOf({ resourceType: 'Parameters', parameter: part.part ?? [] })
}

/** HAPI, Microsoft and the draft name the kinds of values differently: `valueUri`, `valueUrl`, `valueString`. */
function textOf(parts: Parts, name: string): string | undefined {
  const [part, ...more] = parts.filter(each => each.name === name)
  if (part === undefined) return undefined
  const [value] = Object.keys(part).filter(key => key.startsWith('value'))
  const text = value === 'valueReference' ? textIn(part[value], 'reference') : value && textIn(part, value)
  if (more.length > 0 || text === undefined || text === '') throw malformed(name)
  return text
}

function checkOneOf(
  text: string | undefined,
  known: ReadonlySet<string>,
  name: string,
  refusal: (name: string) => Problem,
): void {
  if (text !== undefined && !known.has(text)) throw refusal(name)
}

const where = (name: string) => ({ expression: `Parameters.parameter.where(name = '${name}')` })

function malformed(name: string): Problem {
  const text =
    'A parameter is malformed. Each input has one url, an address or Binary/id of this server; everything else is a text that stands once.'
  return new Problem('invalid', 'import.input-malformed', text, where(name))
}

function formatUnsupported(name: string): Problem {
  const text = 'Files are taken as application/fhir+ndjson alone, packed by gzip or not.'
  return new Problem('unsupported', 'import.format-unsupported', text, where(name))
}

function storageUnsupported(name: string): Problem {
  const text = 'Files are fetched by https (http, where the configuration allows it), or are Binaries of this server.'
  return new Problem('unsupported', 'import.storage-unsupported', text, where(name))
}

function unknownParameter(): Problem {
  const text = 'This operation knows inputFormat, inputSource, storageDetail, mode and input.'
  return new Problem('invalid', 'request.parameter-unknown', text, { expression: 'Parameters.parameter.name' })
}
