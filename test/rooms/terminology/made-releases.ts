/** Releases in the forms of their publishers. The forms are theirs; codes and names are made up, but for those that the forms need. */
import { importRelease, type ReleaseFile } from '#terminology'

export type Files = Readonly<Record<string, string>>

/** The files as a release, each told in pieces of a few bytes: names and letters are cut in the middle. */
export function filesOf(files: Files, pieceBytes = 7): readonly ReleaseFile[] {
  return Object.entries(files).map(([path, text]) => {
    const bytes = Buffer.from(text)
    return {
      path,
      sizeBytes: bytes.length,
      open: async function* open() {
        for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
      },
    }
  })
}

export function importInto(folder: string, files: Files, version?: string) {
  return importRelease(filesOf(files), { folder, version, onProgress: () => undefined })
}

const lines = (...rows: readonly (readonly string[])[]) => rows.map(row => row.join('\t')).join('\r\n')
const core = '900000000000207008'
const defined = '900000000000073002'
const primitive = '900000000000074008'
const [fsn, synonym, preferred] = ['900000000000003001', '900000000000013009', '900000000000548007']
const acceptable = '900000000000549004'
const english = '900000000000509007'
export const isA = '116680003'
export const findingSite = '363698007'
export const sct = { root: '138875005', finding: '404684003', heart: '80891009', angina: '194828000', old: '999999001' }

const conceptHead = ['id', 'effectiveTime', 'active', 'moduleId', 'definitionStatusId']
const nameHead = ['id', 'effectiveTime', 'active', 'moduleId', 'conceptId', 'languageCode', 'typeId', 'term', 'caseId']
const linkHead = ['id', 'effectiveTime', 'active', 'moduleId', 'sourceId', 'destinationId', 'group', 'typeId']
const languageHead = [
  'id',
  'effectiveTime',
  'active',
  'moduleId',
  'refsetId',
  'referencedComponentId',
  'acceptabilityId',
]
const concept = (id: string, status = primitive, active = '1') => [id, '20240701', active, core, status]
const term = (id: string, of: string, kind: string, text: string, language = 'en', active = '1') => [
  ...[id, '20240701', active, core, of, language, kind, text, '900000000000448009'],
]
const link = (from: string, to: string, kind = isA, active = '1') => [
  '1',
  '20240701',
  active,
  core,
  from,
  to,
  '0',
  kind,
]
const chosen = (id: string, how = preferred, active = '1') => ['u', '20240701', active, core, english, id, how]

/** Folders and names as the International Edition has them. */
export const snomedFiles: Files = {
  'SnomedCT/Readme.txt': 'read me',
  'SnomedCT/Snapshot/Terminology/sct2_Concept_Snapshot_INT_20240701.txt': lines(
    conceptHead,
    concept(sct.angina, defined),
    concept(sct.root),
    concept(sct.finding),
    concept(sct.heart),
    ['999999001', '20250101', '0', core, primitive],
  ),
  'SnomedCT/Snapshot/Terminology/sct2_Description_Snapshot-en_INT_20240701.txt': lines(
    nameHead,
    term('1', sct.angina, synonym, 'Chest tightness "by exertion"'),
    term('2', sct.angina, fsn, 'Angina pectoris (disorder)'),
    term('3', sct.angina, synonym, 'Angina pectoris'),
    term('4', sct.finding, fsn, 'Clinical finding (finding)'),
    term('5', sct.finding, synonym, 'A name of yesterday', 'en', '0'),
    term('6', sct.heart, fsn, 'Heart structure (body structure)'),
    term('7', sct.heart, synonym, 'Heart'),
    term('8', sct.root, fsn, 'SNOMED CT Concept'),
    term('9', '999999001', fsn, 'Retired thing'),
    term('10', '1234567', fsn, 'Of a concept that is not there'),
  ),
  'SnomedCT/Snapshot/Terminology/sct2_Description_Snapshot-es_INT_20240701.txt': lines(
    nameHead,
    term('11', sct.angina, synonym, 'Angina de pecho', 'es'),
  ),
  'SnomedCT/Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20240701.txt': lines(
    languageHead,
    chosen('1', acceptable),
    chosen('3'),
    chosen('7'),
    chosen('11'),
  ),
  'SnomedCT/Snapshot/Terminology/sct2_Relationship_Snapshot_INT_20240701.txt': lines(
    linkHead,
    link(sct.finding, sct.root),
    link(sct.heart, sct.root),
    link(sct.angina, sct.finding),
    link(sct.angina, sct.heart, findingSite),
    link(sct.heart, sct.finding, isA, '0'),
    link(sct.angina, '555555555'),
  ),
}

export const loincFiles: Files = {
  'Loinc_2.80/LoincTable/Loinc.csv': `\uFEFF"LOINC_NUM","COMPONENT","PROPERTY","SCALE_TYP","CLASS","VersionLastChanged","STATUS","SHORTNAME","LONG_COMMON_NAME","DefinitionDescription"
"8867-4","Heart rate","NRat","Qn","HRTRATE.ATOM","2.80","ACTIVE","Heart rate","Heart rate","How often it beats.
In a minute, ""at rest"", or not."
"1-8","Older","Pr","Ord","X","2.09","DEPRECATED","","An older one",""
`,
  'Loinc_2.80/AccessoryFiles/PartFile/Part.csv': `"PartNumber","PartTypeName","PartName","PartDisplayName","Status"
"LP415671-0","CLASS","Vitals","Vital signs","ACTIVE"
`,
  'Loinc_2.80/AccessoryFiles/AnswerFile/AnswerList.csv': `"AnswerListId","AnswerListName","AnswerStringId","DisplayText"
"LL361-7","Yes or no","LA33-6","Yes"
"LL361-7","Yes or no","LA32-8","No"
`,
  'Loinc_2.80/AccessoryFiles/ComponentHierarchyBySystem/ComponentHierarchyBySystem.csv': `"PATH_TO_ROOT","SEQUENCE","IMMEDIATE_PARENT","CODE","CODE_TEXT"
"","1","","LP432695-7","All"
"LP432695-7","1","LP432695-7","LP415671-0","Vital signs"
"LP432695-7.LP415671-0","1","LP415671-0","8867-4","Heart rate"
`,
}

const rx = (code: string, source: string, kind: string, name: string, suppressed = 'N', language = 'ENG') =>
  [code, language, '', '', '', '', '', '1', '', '', '', source, kind, code, name, '', suppressed, '', ''].join('|')
const rel = (first: string, second: string, kind: string, by = 'CUI', source = 'RXNORM') =>
  [first, '', by, 'RO', second, '', by, kind, '', '', source, '', '', '', '', '', ''].join('|')

export const rxnormFiles: Files = {
  'RxNorm_full_01062025/rrf/RXNCONSO.RRF': [
    rx('161', 'MTHSPL', 'SU', 'of another source'),
    rx('161', 'RXNORM', 'SY', 'paracetamol'),
    rx('161', 'RXNORM', 'IN', 'acetaminophen'),
    rx('198440', 'RXNORM', 'SCD', 'acetaminophen 500 MG Oral Tablet'),
    rx('1152842', 'RXNORM', 'SCDG', 'acetaminophen Oral Product'),
    rx('9', 'RXNORM', 'SCD', 'no longer made', 'O'),
  ].join('\n'),
  'RxNorm_full_01062025/rrf/RXNREL.RRF': [
    rel('1152842', '198440', 'isa'),
    rel('198440', '1152842', 'inverse_isa'),
    rel('161', '198440', 'has_ingredient'),
    rel('161', '9', 'has_ingredient', 'AUI'),
    rel('161', '9', 'has_ingredient', 'CUI', 'MTHSPL'),
  ].join('\n'),
}

const ordered = (n: number, code: string, billable: string, name: string) =>
  `${String(n).padStart(5, '0')} ${code.padEnd(7)} ${billable} ${name.slice(0, 60).padEnd(60)} ${name}`

export const icd10cmFiles: Files = {
  'icd10cm_order_2025.txt': [
    ordered(1, 'E10', '0', 'Type 1 diabetes mellitus'),
    ordered(2, 'E101', '0', 'Type 1 diabetes mellitus with ketoacidosis'),
    ordered(3, 'E1010', '1', 'Type 1 diabetes mellitus with ketoacidosis without coma'),
    ordered(4, 'E109', '1', 'Type 1 diabetes mellitus without complications'),
    ordered(5, 'E11', '0', 'Type 2 diabetes mellitus'),
  ].join('\r\n'),
}

export const clamlFiles: Files = {
  'icd10gm2025syst-claml/Klassifikationsdateien/icd10gm2025syst_claml_20240913.xml': `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE ClaML SYSTEM "ClaML.dtd">
<ClaML version="2.0.0"><Title date="2024-09-13" name="ICD-10-GM" version="2025">ICD-10-GM Version 2025</Title>
<Class code="E10.9" kind="category"><SuperClass code="E10"/>
  <Rubric kind="preferred"><Label xml:lang="de">Ohne Komplikationen</Label></Rubric>
  <Rubric kind="preferredLong"><Label xml:lang="de">Diabetes mellitus, Typ 1:
    <Fragment>Ohne Komplikationen</Fragment></Label></Rubric></Class>
<Class code="IV" kind="chapter"><SubClass code="E10-E14"/><Rubric kind="preferred"><Label>Stoffwechselkrankheiten</Label></Rubric></Class>
<Class code="E10-E14" kind="block"><SuperClass code="IV"/><Rubric kind="preferred"><Label>Diabetes mellitus</Label></Rubric></Class>
<Class code="E10" kind="category"><SuperClass code="E10-E14"/>
  <Rubric kind="preferred"><Label>Diabetes mellitus, Typ 1</Label></Rubric><Rubric kind="exclusion"><Label>Neugeborenes</Label></Rubric></Class>
</ClaML>`,
}
