import fc from 'fast-check'

/** A piece of an export with what has to become of it. */
export interface Piece {
  readonly xml: string
  /** How many rows it holds. */
  readonly rows: number
  /** Words that the record must have afterwards, unless a row of the piece is told as not taken in. */
  readonly said: readonly string[]
  /** How many of the rows cannot be taken in, or say what another one says; undefined where that depends on the others. */
  readonly left?: number
}

const note = (word: string) => `<MetadataEntry key="note" value="${word}"/>`
const when = (n: number) =>
  `2024-0${1 + (Math.floor(n / 600) % 9)}-10 ${String(10 + (n % 10))}:${String(Math.floor(n / 10) % 60).padStart(2, '0')}:00 +0000`
const times = (n: number) => `sourceName="Watch" startDate="${when(n)}" endDate="${when(n)}"`
const record = (type: string, value: string, unit: string, n: number, within = note(`w${n}-`)) =>
  `<Record type="HK${type}" ${unit === '' ? '' : `unit="${unit}" `}${times(n)} value="${value}">${within}</Record>`
const half = (which: string, value: number, n: number, unit = 'mmHg') =>
  record(`QuantityTypeIdentifierBloodPressure${which}`, String(value), unit, n, '')
const correlation = (type: string, n: number, within: string) =>
  `<Correlation type="HKCorrelationTypeIdentifier${type}" ${times(n)}>${within}</Correlation>`

/** Rows of every kind that exports have, well and badly made; `n` tells each from all others. */
const kinds: readonly ((n: number) => Piece)[] = [
  n => ({ xml: record('QuantityTypeIdentifierStepCount', `${n + 1}`, 'count', n), rows: 1, said: [`w${n}-`], left: 0 }),
  n => ({ xml: record('QuantityTypeIdentifierHeartRate', '61', 'count/min', n), rows: 1, said: [`w${n}-`], left: 0 }),
  n => ({ xml: record('QuantityTypeIdentifierStepCount', 'many', 'count', n), rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({ xml: record('QuantityTypeIdentifierStepCount', '5', 'furlong', n), rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({ xml: record('QuantityTypeIdentifierNobodyKnows', '5', 'count', n), rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({
    xml: record('CategoryTypeIdentifierHeadache', 'HKCategoryValueSeverityMild', '', n),
    rows: 1,
    said: [`w${n}-`],
    left: 0,
  }),
  n => ({ xml: record('CategoryTypeIdentifierHeadache', 'no word', '', n), rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({
    xml: record('QuantityTypeIdentifierStepCount', '7', 'count', n).replace(/endDate="[^"]*"/, 'endDate="never"'),
    rows: 1,
    said: [`w${n}-`],
    left: 1,
  }),
  n => ({
    xml: record('QuantityTypeIdentifierStepCount', '8', 'count', n, `${note(`w${n}-`)}<Foo/><Bar/><Foo/>`),
    rows: 4,
    said: [`w${n}-`],
    left: 3,
  }),
  n => ({ xml: `<Unheard of="w${n}-"/>`, rows: 1, said: [`w${n}-`], left: 1 }),
  // Blood pressures: halves loose, before or behind, within a whole correlation, or one that lacks something.
  n => ({
    xml: `${half('Systolic', 120, n)}${correlation('BloodPressure', n, note(`w${n}-`) + half('Systolic', 120, n) + half('Diastolic', 80, n))}${half('Diastolic', 80, n)}`,
    rows: 3,
    said: [`w${n}-`],
    left: 2,
  }),
  n => ({
    xml: `${half('Systolic', 121, n).replace('></Record', `>${note(`w${n}-`)}</Record`)}${half('Diastolic', 81, n)}`,
    rows: 2,
    said: [`w${n}-`],
    left: 0,
  }),
  n => ({
    xml: half('Systolic', 122, n).replace('></Record', `>${note(`w${n}-`)}</Record`),
    rows: 1,
    said: [`w${n}-`],
    left: 0,
  }),
  n => ({
    xml: `${half('Systolic', 123, n).replace('></Record', `>${note(`w${n}-`)}</Record`)}${correlation('BloodPressure', n, half('Systolic', 123, n))}`,
    rows: 3,
    said: [`w${n}-`],
    left: 2,
  }),
  n => ({
    xml: `${correlation('BloodPressure', n, half('Systolic', 124, n) + half('Diastolic', 84, n)).replace(/startDate="[^"]*"/, 'startDate="never"')}${half('Systolic', 124, n).replace('></Record', `>${note(`w${n}-`)}</Record`)}${half('Diastolic', 84, n)}`,
    rows: 5,
    said: [`w${n}-`],
    left: 3,
  }),
  n => ({
    xml: correlation('Food', n, note(`w${n}-`) + record('QuantityTypeIdentifierDietaryCaffeine', '0.05', 'g', n)),
    rows: 2,
    said: [`w${n}-`],
    left: 0,
  }),
  n => ({
    xml: correlation('Food', n, record('QuantityTypeIdentifierDietaryCaffeine', 'none', 'g', n)),
    rows: 2,
    said: [`w${n}-`],
    left: 2,
  }),
  n => ({ xml: correlation('Unheard', n, note(`w${n}-`)), rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({
    xml: `<Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="${n}" durationUnit="min" ${times(n)}>${note(`w${n}-`)}<Foo/></Workout>`,
    rows: 2,
    said: [`w${n}-`],
    left: 1,
  }),
  n => ({
    xml: `<Workout workoutActivityType="running" ${times(n)}>${note(`w${n}-`)}</Workout>`,
    rows: 1,
    said: [`w${n}-`],
    left: 1,
  }),
  n => ({
    xml: `<ActivitySummary dateComponents="${2000 + Math.floor(n / 27)}-02-${String(1 + (n % 27)).padStart(2, '0')}" activeEnergyBurned="${n + 0.25}" activeEnergyBurnedUnit="kcal"/>`,
    rows: 1,
    said: [`${n + 0.25}`],
    left: 0,
  }),
  n => ({ xml: `<ActivitySummary dateComponents="w${n}-"/>`, rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({
    xml: `<ActivitySummary dateComponents="1999-02-${String(1 + (n % 27)).padStart(2, '0')}" activeEnergyBurned="much" activeEnergyBurnedUnit="kcal"/>`,
    rows: 2,
    said: [],
    left: 2,
  }),
  n => ({
    xml: `<Audiogram ${times(n)}>${note(`w${n}-`)}<SensitivityPoint frequencyValue="500" frequencyUnit="Hz" leftEarValue="10" leftEarUnit="dBHL"/></Audiogram>`,
    rows: 1,
    said: [`w${n}-`],
    left: 0,
  }),
  n => ({ xml: `<Audiogram ${times(n)}>${note(`w${n}-`)}</Audiogram>`, rows: 1, said: [`w${n}-`], left: 1 }),
  n => ({
    xml: `<VisionPrescription type="glasses" dateIssued="${when(n)}">${note(`w${n}-`)}<RightEye sphere="1.25"/></VisionPrescription>`,
    rows: 1,
    said: [`w${n}-`],
    left: 0,
  }),
  n => ({
    xml: `<ClinicalRecord resourceFilePath="/clinical-records/w${n}-.json"/>`,
    rows: 1,
    said: [`w${n}-`],
    left: 1,
  }),
]

/** Pieces of an export; some stand in it twice. */
export const pieces: fc.Arbitrary<readonly Piece[]> = fc
  .array(fc.tuple(fc.nat(kinds.length - 1), fc.boolean()), { minLength: 1, maxLength: 25 })
  .map(drawn =>
    drawn.flatMap(([kind, twice], n) => {
      const piece = kinds[kind]?.(n * 3)
      if (piece === undefined) return []
      return twice ? [piece, { ...piece, said: [], left: piece.rows }] : [piece]
    }),
  )

export const appleExport = (of: readonly Piece[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n<ExportDate value="2024-05-01 10:00:00 +0000"/>\n${of.map(({ xml }) => `${xml}\n`).join('')}</HealthData>\n`
