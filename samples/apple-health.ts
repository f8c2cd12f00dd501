import { steadyRandom } from './steady-random.ts'

/** Winter offset in every date, as an export on a March day in Berlin has them, summer or not. */
const offset = '+0100'
const watch =
  '&lt;&lt;HKDevice: 0x282f1c0a0&gt;, name:Apple Watch, manufacturer:Apple Inc., model:Watch, hardware:Watch6,7, software:11.2&gt;'

const dtd = `<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 14 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Correlation|Workout|ActivitySummary)*)>
<!ATTLIST HealthData locale CDATA #REQUIRED>
<!ELEMENT Record ((MetadataEntry|HeartRateVariabilityMetadataList)*)>
<!ATTLIST Record
  type CDATA #REQUIRED
  value CDATA #IMPLIED
>
]>`

function at(day: number, hour: number, minute = 0, second = 0): string {
  const two = (n: number) => String(n).padStart(2, '0')
  return `2026-02-${two(day)} ${two(hour)}:${two(minute)}:${two(second)} ${offset}`
}

interface Row {
  readonly type: string
  readonly value: string
  readonly start: string
  readonly end?: string
  readonly unit?: string
  readonly source?: string
  readonly metadata?: Readonly<Record<string, string>>
}

function record({ type, value, start, end = start, unit, source = 'Anna’s Apple Watch', metadata = {} }: Row): string {
  const device = source.includes('Watch') ? ` device="${watch}"` : ''
  const units = unit === undefined ? '' : ` unit="${unit}"`
  const head = ` <Record type="${type}" sourceName="${source}" sourceVersion="11.2"${device}${units}`
  const attributes = `${head} creationDate="${end}" startDate="${start}" endDate="${end}" value="${value}"`
  const entries = Object.entries(metadata).map(([key, text]) => `  <MetadataEntry key="${key}" value="${text}"/>\n`)
  return entries.length === 0 ? `${attributes}/>\n` : `${attributes}>\n${entries.join('')} </Record>\n`
}

const quantity = (name: string) => `HKQuantityTypeIdentifier${name}`

function heartRates(random: () => number): string[] {
  return Array.from({ length: 120 }, (_, i) =>
    record({
      type: quantity('HeartRate'),
      value: String(58 + Math.floor(random() * 40)),
      unit: 'count/min',
      start: at(1 + Math.floor(i / 12), 7 + (i % 12), Math.floor(random() * 60), Math.floor(random() * 60)),
      metadata: { HKMetadataKeyHeartRateMotionContext: String(i % 3) },
    }),
  )
}

function steps(random: () => number): string[] {
  return Array.from({ length: 80 }, (_, i) => {
    const day = 1 + Math.floor(i / 8)
    const hour = 8 + (i % 8)
    return record({
      type: quantity('StepCount'),
      value: String(40 + Math.floor(random() * 900)),
      unit: 'count',
      start: at(day, hour, 5),
      end: at(day, hour, 15),
      source: i % 2 === 0 ? 'Anna’s iPhone' : 'Anna’s Apple Watch',
    })
  })
}

function daily(random: () => number): string[] {
  return Array.from({ length: 10 }, (_, i) => i + 1).flatMap(day => [
    record({
      type: quantity('OxygenSaturation'),
      value: (0.95 + Math.floor(random() * 5) / 100).toFixed(2),
      unit: '%',
      start: at(day, 3),
    }),
    record({
      type: quantity('RestingHeartRate'),
      value: String(54 + Math.floor(random() * 6)),
      unit: 'count/min',
      start: at(day, 0),
      end: at(day, 23, 59),
    }),
    record({
      type: quantity('HeartRateVariabilitySDNN'),
      value: (30 + random() * 40).toFixed(4),
      unit: 'ms',
      start: at(day, 4),
    }),
    record({
      type: quantity('ActiveEnergyBurned'),
      value: (200 + random() * 300).toFixed(3),
      unit: 'Cal',
      start: at(day, 8),
      end: at(day, 20),
    }),
    record({
      type: quantity('DistanceWalkingRunning'),
      value: (2 + random() * 4).toFixed(5),
      unit: 'km',
      start: at(day, 8),
      end: at(day, 20),
    }),
  ])
}

function sleep(): string[] {
  const stages = ['AsleepCore', 'AsleepDeep', 'AsleepREM', 'AsleepCore', 'Awake']
  return [2, 3, 4, 5, 6].flatMap(day =>
    stages.map((stage, i) =>
      record({
        type: 'HKCategoryTypeIdentifierSleepAnalysis',
        value: `HKCategoryValueSleepAnalysis${stage}`,
        start: at(day, i, 10),
        end: at(day, i + 1, 10),
        metadata: { HKTimeZone: 'Europe/Berlin' },
      }),
    ),
  )
}

/** Each measurement stands loose and inside its correlation, as in real exports. */
function bloodPressures(): string[] {
  return [
    [118, 76, 1],
    [124, 81, 4],
    [121, 79, 8],
  ].map(([systolic, diastolic, day]) => {
    const start = at(day ?? 1, 7, 30)
    const halves = [
      record({
        type: quantity('BloodPressureSystolic'),
        value: String(systolic),
        unit: 'mmHg',
        start,
        source: 'Omron connect',
      }),
      record({
        type: quantity('BloodPressureDiastolic'),
        value: String(diastolic),
        unit: 'mmHg',
        start,
        source: 'Omron connect',
      }),
    ].join('')
    const open = ` <Correlation type="HKCorrelationTypeIdentifierBloodPressure" sourceName="Omron connect" creationDate="${start}" startDate="${start}" endDate="${start}">\n`
    return `${halves}${open}${halves} </Correlation>\n`
  })
}

function others(): string[] {
  return [
    record({
      type: quantity('BodyMass'),
      value: '62.4',
      unit: 'kg',
      start: at(3, 7),
      source: 'Health',
      metadata: { HKWasUserEntered: '1' },
    }),
    record({
      type: quantity('Height'),
      value: '5.5',
      unit: 'ft',
      start: at(3, 7),
      source: 'Health',
      metadata: { HKWasUserEntered: '1' },
    }),
    record({ type: quantity('BodyTemperature'), value: '98.2', unit: 'degF', start: at(5, 21), source: 'Health' }),
    record({
      type: quantity('BloodGlucose'),
      value: '5.4',
      unit: 'mmol&lt;180.1558800000541&gt;/L',
      start: at(6, 7),
      source: 'mySugr',
      metadata: { HKMetadataKeyBloodGlucoseMealTime: '1' },
    }),
    record({
      type: quantity('BloodGlucose'),
      value: '101',
      unit: 'mg/dL',
      start: at(7, 9),
      source: 'mySugr',
      metadata: { HKMetadataKeyBloodGlucoseMealTime: '2' },
    }),
    record({ type: quantity('VO2Max'), value: '36.21', unit: 'mL/min·kg', start: at(8, 18) }),
    record({
      type: 'HKCategoryTypeIdentifierHeadache',
      value: 'HKCategoryValueSeverityMild',
      start: at(4, 16),
      end: at(4, 19),
      source: 'Health',
    }),
    record({
      type: 'HKCategoryTypeIdentifierNausea',
      value: 'HKCategoryValueSeverityNotPresent',
      start: at(4, 16),
      end: at(4, 19),
      source: 'Health',
    }),
    record({ type: 'HKCategoryTypeIdentifierStateOfMind', value: '2', start: at(9, 20), source: 'Health' }),
  ]
}

function workout(): string {
  const start = at(7, 17)
  const end = at(7, 17, 42, 30)
  return ` <Workout workoutActivityType="HKWorkoutActivityTypeRunning" duration="42.5" durationUnit="min" sourceName="Anna’s Apple Watch" device="${watch}" creationDate="${end}" startDate="${start}" endDate="${end}">
  <MetadataEntry key="HKTimeZone" value="Europe/Berlin"/>
  <MetadataEntry key="HKIndoorWorkout" value="0"/>
  <WorkoutStatistics type="HKQuantityTypeIdentifierActiveEnergyBurned" startDate="${start}" endDate="${end}" sum="412.6" unit="Cal"/>
  <WorkoutStatistics type="HKQuantityTypeIdentifierDistanceWalkingRunning" startDate="${start}" endDate="${end}" sum="7.31" unit="km"/>
  <WorkoutStatistics type="HKQuantityTypeIdentifierHeartRate" startDate="${start}" endDate="${end}" average="148.3" minimum="97" maximum="171" unit="count/min"/>
 </Workout>
`
}

/** The files of an export.zip. */
export function appleExport(): Readonly<Record<string, string>> {
  const random = steadyRandom(7)
  const xml = `<?xml version="1.0" encoding="UTF-8"?>
${dtd}
<HealthData locale="de_DE">
 <ExportDate value="2026-03-01 10:12:44 ${offset}"/>
 <Me HKCharacteristicTypeIdentifierDateOfBirth="1984-05-17" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexFemale" HKCharacteristicTypeIdentifierBloodType="HKBloodTypeOPositive" HKCharacteristicTypeIdentifierFitzpatrickSkinType="HKFitzpatrickSkinTypeNotSet" HKCharacteristicTypeIdentifierCardioFitnessMedicationsUse="None"/>
${[...heartRates(random), ...steps(random), ...daily(random), ...sleep(), ...bloodPressures(), ...others()].join('')}${workout()} <ActivitySummary dateComponents="2026-02-07" activeEnergyBurned="480" activeEnergyBurnedGoal="500" activeEnergyBurnedUnit="Cal" appleMoveTime="0" appleMoveTimeGoal="0" appleExerciseTime="44" appleExerciseTimeGoal="30" appleStandHours="12" appleStandHoursGoal="12"/>
</HealthData>
`
  const cda = '<?xml version="1.0"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"/>\n'
  return { 'apple_health_export/export.xml': xml, 'apple_health_export/export_cda.xml': cda }
}
