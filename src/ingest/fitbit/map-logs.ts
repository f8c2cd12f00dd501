import { quantityOf } from '../apple/quantity.ts'
import { categoryOf, systems } from '../codes.ts'
import { spansOf } from '../fit/coverage.ts'
import { toMeasure } from '../measures/tables.ts'
import { exactly, toFhirNumber } from '../numbers.ts'
import type { Outcome } from '../outcome.ts'
import type { Loose } from '../source/json-tokens.ts'
import { frozen } from '../tables.ts'
import { isMap, JsonFields } from './json-fields.ts'
import { effectiveOf, type FitbitContext, pointOf, rejected, textIn, unread, zonelessWarning } from './map-row.ts'
import { momentOf } from './times.ts'

const activity = frozen(categoryOf('activity'))
const own = (code: string, text: string) => ({ coding: [{ system: systems.fitbit, code }], text })
const sleepCode = frozen({
  coding: [
    { system: systems.loinc, code: '93832-4' },
    { system: systems.fitbit, code: 'sleep' },
  ],
  text: 'Sleep duration',
})
const stage = toMeasure(
  {
    type: 'sleep.levels',
    like: 'google-fit com.google.sleep.segment',
    coded: {
      field: 'level',
      values: {
        wake: 'Awake',
        awake: 'Awake',
        restless: 'Restless',
        asleep: 'Asleep, stage not told',
        light: 'Light sleep',
        deep: 'Deep sleep',
        rem: 'REM sleep',
      },
    },
  },
  { system: systems.fitbit },
)

/** A night is told of by its hours in other files; it is one type there. */
const nights = 'com.google.sleep.segment'

/** Stages of a night; real ones have some fifty. */
const mostStages = 2000

const sums = [
  ['minutesAwake', 'Minutes awake', 'min'],
  ['minutesToFallAsleep', 'Minutes until asleep', 'min'],
  ['minutesAfterWakeup', 'Minutes after waking', 'min'],
  ['timeInBed', 'Minutes in bed', 'min'],
  ['efficiency', 'Efficiency of sleep', '%'],
] as const

const passedOfSleep = [
  'logId',
  'dateOfSleep',
  'startTime',
  'endTime',
  'duration',
  'minutesAsleep',
  'infoCode',
  'mainSleep',
  'isMainSleep',
  'logType',
  'type',
  'levels',
]

/** A night: how long, how much of each stage, and its stages where the zone is known. */
export function mapSleep(value: { readonly [name: string]: Loose }, context: FitbitContext): Outcome[] {
  const row = new JsonFields(value)
  const start = momentOf(textIn(row, 'startTime') ?? textIn(row, 'dateOfSleep'), 'local', context.zone)
  const end = momentOf(textIn(row, 'endTime') ?? textIn(row, 'dateOfSleep'), 'local', context.zone)
  if (start === undefined || end === undefined || end.ms < start.ms)
    return [rejected('sleep', 'date-malformed', 'sleep.startTime')]
  const point = pointOf(nights, start.ms, end.ms)
  if (context.coverage.has(point)) return [{ kind: 'folded', row: 'sleep' }]
  const asleep = quantityIn(row, 'minutesAsleep', 'min')
  if (asleep === undefined) return [rejected('sleep', 'value-missing', 'sleep.minutesAsleep')]
  for (const span of spansOf(point)) context.told.add(span)
  const levels = isMap(value.levels) ? value.levels : {}
  const component = [
    ...sums.flatMap(([name, text, ucum]) => componentOf(`sleep.${name}`, text, quantityIn(row, name, ucum))),
    ...summaryOf(levels.summary),
  ]
  const logId = textIn(row, 'logId') ?? `${start.text} ${end.text}`
  const zoneless = start.zoneless || end.zoneless
  const members = zoneless ? [] : stagesOf(levels, logId, context)
  const stages = members.flatMap(one =>
    one.kind === 'mapped' ? [{ reference: `Observation/${one.resource.id}` }] : [],
  )
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('fitbit', 'sleep', logId),
    meta: { source: context.source },
    identifier: [{ system: `${systems.fitbit}#logId`, value: logId.slice(0, 100) }],
    status: 'final',
    category: activity,
    code: sleepCode,
    subject: context.subject,
    ...effectiveOf(start, end),
    valueQuantity: asleep,
    ...(component.length === 0 ? {} : { component }),
    ...(stages.length === 0 ? {} : { hasMember: stages }),
  }
  return [
    ...members,
    { kind: 'mapped', row: 'sleep', mode: 'upsert', resource, ...(zoneless ? { warning: zonelessWarning } : {}) },
    ...(zoneless ? unplaced(levels) : []),
    ...unreadIn('sleep', row, [...passedOfSleep, ...sums.map(([name]) => name)]),
  ]
}

function unplaced(levels: { readonly [name: string]: Loose }): Outcome[] {
  const rows = listIn(levels, 'data').length + listIn(levels, 'shortData').length
  return rows === 0 ? [] : [{ kind: 'unmapped', row: 'sleep.levels', rows }]
}

function listIn(of: { readonly [name: string]: Loose }, name: string): readonly Loose[] {
  const value = of[name]
  return Array.isArray(value) ? value : []
}

function quantityIn(row: JsonFields, name: string, ucum: string) {
  const text = textIn(row, name)
  const number = text === undefined ? undefined : toFhirNumber(text)
  return number === undefined ? undefined : quantityOf(number, ucum)
}

function componentOf(code: string, text: string, valueQuantity: object | undefined): object[] {
  return valueQuantity === undefined ? [] : [{ code: own(code, text), valueQuantity }]
}

/** Minutes of each stage, `levels.summary.deep.minutes`. */
function summaryOf(summary: Loose | undefined): object[] {
  if (!isMap(summary)) return []
  return Object.entries(summary).flatMap(([level, said]) => {
    const concept = stage.coded?.values?.get(level)
    if (concept === undefined || !isMap(said)) return []
    const minutes = quantityIn(new JsonFields(said), 'minutes', 'min')
    return componentOf(`sleep.levels.summary.${level}`, `${concept.text}, minutes`, minutes)
  })
}

function stagesOf(levels: { readonly [name: string]: Loose }, logId: string, context: FitbitContext): Outcome[] {
  const all = [...listIn(levels, 'data'), ...listIn(levels, 'shortData')]
  const beyond = all.length - mostStages
  return [
    ...all.slice(0, mostStages).map(one => stageOf(one, logId, context)),
    ...(beyond > 0 ? [{ kind: 'unmapped', row: stage.name, rows: beyond } as const] : []),
  ]
}

function stageOf(value: Loose, logId: string, context: FitbitContext): Outcome {
  if (!isMap(value)) return rejected(stage.name, 'structure-unknown', stage.name)
  const row = new JsonFields(value)
  const start = momentOf(textIn(row, 'dateTime'), 'local', context.zone)
  const [level = '', seconds] = [textIn(row, 'level'), Number(textIn(row, 'seconds') ?? 0)]
  if (start === undefined || !(seconds >= 0 && seconds <= 172_800))
    return rejected(stage.name, 'date-malformed', `${stage.name}.dateTime`)
  const endMs = start.ms + seconds * 1000
  const end = momentOf(new Date(endMs).toISOString(), 'utc', undefined) ?? start
  const concept = stage.coded?.values?.get(level)
  if (concept === undefined) return rejected(stage.name, 'value-unknown', `${stage.name}.level`)
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('fitbit', stage.name, logId, String(start.ms), String(endMs), level),
    meta: { source: context.source },
    status: 'final',
    category: stage.category,
    code: stage.code,
    subject: context.subject,
    ...effectiveOf(start, { ...end, text: shifted(start.text, endMs) }),
    valueCodeableConcept: concept,
  }
  return { kind: 'mapped', row: stage.name, mode: 'create', resource }
}

/** An instant with the offset of another text. */
function shifted(text: string, ms: number): string {
  const [, sign, hours = '0', minutes = '0'] = /([+-])(\d{2}):(\d{2})$/.exec(text) ?? []
  if (sign === undefined) return new Date(ms).toISOString().replace('.000Z', 'Z')
  const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === '-' ? -1 : 1)
  return `${new Date(ms + offsetMs).toISOString().slice(0, 19)}${text.slice(-6)}`
}

const exerciseCode = frozen({
  coding: [
    { system: systems.loinc, code: '73985-4' },
    { system: systems.pghd, code: 'workout' },
    { system: systems.fitbit, code: 'exercise' },
  ],
  text: 'Exercise activity',
})

const figures = [
  ['calories', 'Energy burned', 'kcal'],
  ['steps', 'Steps', '{steps}'],
  ['averageHeartRate', 'Average heart rate', '/min'],
  ['elevationGain', 'Elevation gained', 'm'],
] as const

const lengths: ReadonlyMap<string, string> = new Map(Object.entries({ Mile: '[mi_i]', Kilometer: 'km', Meter: 'm' }))
const passedOfExercise = [
  'logId',
  'activityName',
  'activityTypeId',
  'startTime',
  'duration',
  'activeDuration',
  'originalStartTime',
  'originalDuration',
  'lastModified',
  'shouldFetchDetails',
  'hasGps',
  'hasActiveZoneMinutes',
  'logType',
  'manualValuesSpecified',
  'tcxLink',
  'distance',
  'distanceUnit',
]

/** An exercise; its start is in UTC. */
export function mapExercise(value: { readonly [name: string]: Loose }, context: FitbitContext): Outcome[] {
  const row = new JsonFields(value)
  const start = momentOf(textIn(row, 'startTime'), 'utc', context.zone)
  const length = Number(textIn(row, 'duration') ?? textIn(row, 'activeDuration') ?? 0)
  if (start === undefined || !(length >= 0 && length <= 7 * 86_400_000))
    return [rejected('exercise', 'date-malformed', 'exercise.startTime')]
  const name = textIn(row, 'activityName')
  if (name === undefined) return [rejected('exercise', 'value-missing', 'exercise.activityName')]
  const end = { ...start, ms: start.ms + length, text: shifted(start.text, start.ms + length) }
  const [distance, unit] = [textIn(row, 'distance'), lengths.get(textIn(row, 'distanceUnit') ?? '')]
  const far = distance === undefined || unit === undefined ? undefined : toFhirNumber(distance)
  const component = [
    ...(length > 0
      ? [
          {
            code: own('exercise.duration', 'Duration of exercise'),
            valueQuantity: quantityOf(exactly(length / 60_000), 'min'),
          },
        ]
      : []),
    ...figures.flatMap(([member, text, ucum]) =>
      componentOf(`exercise.${member}`, text, quantityIn(row, member, ucum)),
    ),
    ...(far === undefined || unit === undefined
      ? []
      : componentOf('exercise.distance', 'Distance', quantityOf(far, unit))),
  ]
  const logId = textIn(row, 'logId') ?? `${start.text} ${name}`
  const type = textIn(row, 'activityTypeId')
  const resource = {
    resourceType: 'Observation',
    id: context.fingerprint('fitbit', 'exercise', logId),
    meta: { source: context.source },
    identifier: [{ system: `${systems.fitbit}#logId`, value: logId.slice(0, 100) }],
    status: 'final',
    category: activity,
    code: exerciseCode,
    subject: context.subject,
    ...effectiveOf(start, end),
    valueCodeableConcept: {
      ...(type === undefined
        ? {}
        : { coding: [{ system: `${systems.fitbit}#activityTypeId`, code: type.replace(/\s+/g, '-') }] }),
      text: name.slice(0, 200),
    },
    ...(component.length === 0 ? {} : { component }),
  }
  return [
    { kind: 'mapped', row: 'exercise', mode: 'upsert', resource },
    ...unreadIn('exercise', row, [...passedOfExercise, ...figures.map(([member]) => member)]),
  ]
}

function unreadIn(name: string, row: JsonFields, known: readonly string[]): Outcome[] {
  const tops = new Set(row.names.map(one => one.split('.')[0] ?? ''))
  return [...tops]
    .filter(top => !known.includes(top))
    .map(top => unread(`${name}.${/^\w{1,60}$/.test(top) ? top : 'unrecognised'}`))
}
